/* tests/vision_support.h - a second vision tower, written to be read: one number at a time, in
 * double, with its gradient by a tape. Nothing of the engine's is used but its weights. */
#ifndef PARL_TESTS_VISION_SUPPORT_H
#define PARL_TESTS_VISION_SUPPORT_H
#include "engine/vision.h"

/* Features [rows,C] of one item, [frames, rows, columns] and its pixels, by params [n_params] in
 * the model's layout. dparams [n_params], unless NULL, += the gradient of sum(features cotangent
 * [rows,C]). Returns that sum. */
double naive_look(const parl_model *model, const float *params, const int64_t grid[3],
                  const float *pixels, const float *cotangent, double *features, double *dparams);

/* A small model with a tower: two blocks of two heads, a position grid of 4 x 4. */
parl_model_config vision_config(void);

#endif
