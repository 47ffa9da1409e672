/* tests/image_cases.h - what Pillow 13.0.0 makes of images. Written by tests/image_cases.py. */
#ifndef PARL_TESTS_IMAGE_CASES_H
#define PARL_TESTS_IMAGE_CASES_H
/* clang-format off */
/* X(file of tests/fuzz/corpus, width, height, SHA-256 of its RGB) */
#define IMAGE_FILES(X) \
  X("fuzz_png/rgb.png", 13, 9, \
    "2a2a39211af7d148d21d45f13fba979cec4603470e88d385f07b26edbecb63ae") \
  X("fuzz_png/rgba.png", 13, 9, \
    "2a2a39211af7d148d21d45f13fba979cec4603470e88d385f07b26edbecb63ae") \
  X("fuzz_png/grey.png", 13, 9, \
    "47fb5a174e2b84db50bc8ff1d135509636f9ecf382c1bdea998194b97b3e0cfd") \
  X("fuzz_png/grey_alpha.png", 13, 9, \
    "47fb5a174e2b84db50bc8ff1d135509636f9ecf382c1bdea998194b97b3e0cfd") \
  X("fuzz_png/grey_1.png", 13, 3, \
    "d9a94ab36d82e56ffc0686479ac0f9f774d9a26930dc07758ffefa17b8c247b7") \
  X("fuzz_png/grey_2.png", 13, 3, \
    "70f4dff43fcfc178513648f18d45ae3387d03a743e44bded22840a6ded2ddc3b") \
  X("fuzz_png/grey_4.png", 13, 3, \
    "3a36c22265c1b27d03cebdc3bbe1342b973d31071a322e388f694f5d68d19957") \
  X("fuzz_png/grey_alpha_16.png", 5, 4, \
    "66ed74c37be1bf7482a0ef7f4f25a6ffc8eb63a2ee3738d496f84af18eda988d") \
  X("fuzz_png/rgb_16.png", 5, 4, \
    "3765f7ad562ea90f371c58fe3543d27c78dce0a540b220b430b650af25553953") \
  X("fuzz_png/rgba_16.png", 5, 4, \
    "94bcae8ff7590891677e56e10959227b7c74c268514017cb0efcf3adc348d902") \
  X("fuzz_png/grey_key.png", 5, 4, \
    "2fd43d5e9b3e13f1948f96eca5e3e41ab0b243d839501808d2423a534a658610") \
  X("fuzz_png/palette_4.png", 13, 3, \
    "d02b08987bd505d5c3fc045b01b32d28c05c062ca6eff600dee4e5449a151cb7") \
  X("fuzz_png/palette_8.png", 5, 4, \
    "5dcc1b5872dd9ff1c234501f1fefda01f664164e1583c3e1bb3dbea47588ab31") \
  X("fuzz_png/gamma.png", 5, 4, \
    "99d43f6d5b6e928951e7f8906b954fb9500d74972a82cad9213cd05bbe0f515b") \
  X("fuzz_png/interlaced.png", 13, 9, \
    "2a2a39211af7d148d21d45f13fba979cec4603470e88d385f07b26edbecb63ae") \
  X("fuzz_jpeg/grey.jpg", 45, 38, \
    "45a38fb69c22399d3dd78c8d193a64dd2b28953332e000f5f3134d90ad08d65d") \
  X("fuzz_jpeg/444.jpg", 45, 38, \
    "911a99a9962ba8fd3cbbbe355a42932aba5e5970b39faf0ae8ee56c4275c34d5") \
  X("fuzz_jpeg/422.jpg", 45, 38, \
    "d1466cef8537e30646f112cff2e6bd2b2d8eae70dccb0c892c0c3c24e2be471e") \
  X("fuzz_jpeg/420.jpg", 45, 38, \
    "7282266d0af51fd8a6396d182e51fb345cde0994057192474c8f235d84c835b9") \
  X("fuzz_jpeg/progressive.jpg", 45, 38, \
    "3c2527d557d53497f79a91b2a299cc977da9f47834a67a6705bea146491c1832") \
  X("fuzz_jpeg/rgb.jpg", 45, 38, \
    "01735c5409da17095958ce5c8fb173cb50e9447e265b146febb20333ea9fa003") \
/* X(width, height, to width, to height, SHA-256 of BICUBIC) */
#define IMAGE_RESIZES(X) \
  X(37, 23, 90, 61, \
    "44c0026ea5a68a77044be9a85f73a1e3c86d78c5c557996ddc780befba5f631b") \
  X(640, 480, 111, 77, \
    "898fefa06c91cf3304913083ddd978e5ddd42647f04f23e7a4f19c15b99b1084") \
  X(64, 64, 64, 20, \
    "7eda043276acb172606fdd3dc400721e987fe4f7c7417aa4fdc545a02feecac8") \
  X(64, 64, 29, 64, \
    "5ea840e5ec0901377f837c0c72b4695cae78064d62ec8c0b5747e2d488a63ed8") \
  X(1, 1, 5, 7, \
    "a9ae58b25a11e24170fbe6a34f5e362b7f613e65f2cdc5751e0a049c6bf37936") \
  X(200, 100, 1, 1, \
    "8ae40a3583aef6697d2c2eff57eb915ed0bda54aaa92812ad97982743ac06f37") \
  X(3000, 17, 1500, 8, \
    "e1e7722dd6c785fa3b9c37245a7e437541b753d185b38b161eb8b21a0ca36c2c") \
  X(3000, 17, 7, 17, \
    "4b9f0735eb41ad227a4c65705ae8470c4641010795538ca2aa5fd8ce3d9f610a") \
  X(3000, 17, 4000, 40, \
    "fd016eb4b9555b40138719f48e957cf16bd502b23746fe85a70c8790ed1c8fa7") \
  X(17, 3000, 17, 1234, \
    "ffacf72c0169f701b7b73ac263ed7d5eca53c7681599498b520f901854a4f762") \
  X(50, 40, 50, 40, \
    "482f47c5416192737a224bf07121c03a1811e637655632035e21646091ee6958") \
  X(2, 3, 300, 200, \
    "1cd977dad37ce1fce883e540ae90e48dc13665a1357db092675967927a0eb044") \
  X(33, 48, 32, 47, \
    "db19006874f19de7609ba4d817e65cfeac5216dc5cba67b267b1653e854da343") \
  X(1000, 800, 999, 801, \
    "dcc6d3a652080c2aa69570bda0d5c82197c47f5d5f2b26cd40edc36476db11af") \
/* clang-format on */
#endif
