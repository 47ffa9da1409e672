/* tests/fuzz/fuzz_png.c - any bytes as a PNG file. */
#include "tests/fuzz/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_image(data, size, "\x89PNG\r\n\x1a\n", 8);
  return 0;
}
