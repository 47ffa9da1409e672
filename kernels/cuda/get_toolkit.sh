#!/bin/sh
# What `make deps-cuda` does: get_toolkit.sh FOLDER [cublas]. Nothing where nvcc is found; else NVIDIA's wheels of the
# compiler, by pip into FOLDER, where the Makefile looks, too. With the word cublas that library (some hundred MB) as
# well, where none is found. Says what it did.
set -u
folder=$1
nvcc=$folder/nvidia/cu13/bin/nvcc
get() { # PACKAGE...: into the folder, without what they want beside
  mkdir -p "$folder"
  "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target "$folder" "$@"
}

if command -v nvcc >/dev/null; then
  echo "nvcc found: $(command -v nvcc), $(nvcc --version | sed -n 's/.*\(release [0-9.]*\).*/\1/p')"
elif [ -x "$nvcc" ]; then
  echo "nvcc found: $nvcc, got before"
else
  "${PYTHON:-python3}" -m pip --version >/dev/null 2>&1 ||
    { echo 'deps-cuda: neither nvcc nor pip is here' >&2; exit 1; }
  get 'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-nvvm==13.0.*' 'nvidia-cuda-runtime==13.0.*' \
    'nvidia-cuda-cccl==13.0.*' || { echo 'deps-cuda: pip could not get the compiler' >&2; exit 1; }
  chmod +x "${nvcc%/*}"/* "$folder"/nvidia/cu13/nvvm/bin/* || exit 1
  "$nvcc" --version >/dev/null || { echo "deps-cuda: $nvcc does not run" >&2; exit 1; }
  echo "nvcc got: $nvcc, $("$nvcc" --version | sed -n 's/.*\(release [0-9.]*\).*/\1/p')"
fi

[ "${2:-}" = cublas ] || exit 0
if ldconfig -p 2>/dev/null | grep -q 'libcublas\.so\.1[23]' || [ -e "$folder/nvidia/cu13/lib/libcublas.so.13" ]; then
  echo 'cuBLAS found'
else
  get nvidia-cublas || { echo 'deps-cuda: pip could not get cuBLAS' >&2; exit 1; }
  echo "cuBLAS got: $folder/nvidia/cu13/lib"
fi
