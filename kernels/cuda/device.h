/* kernels/cuda/device.h - what the table of the backend asks of kernels/cuda/device.cu. */
#ifndef PARL_KERNELS_CUDA_DEVICE_H
#define PARL_KERNELS_CUDA_DEVICE_H
#include "kernels/cuda/cuda_internal.h"

const parl_device *parl_cuda_device(void);
/* OK if there is a driver and a card that the kernels run on. Fails: ESTATE, saying what is not. */
parl_status parl_cuda_find_card(void);
/* As parl_backend has it, of the whole card; 0 if it fails. */
template <class A>
double parl_cuda_peak_gflops(double ms);

#endif
