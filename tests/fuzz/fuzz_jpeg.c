/* tests/fuzz/fuzz_jpeg.c - any bytes as a JPEG file. */
#include "tests/fuzz/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_image(data, size, "\xff\xd8\xff", 3);
  return 0;
}
