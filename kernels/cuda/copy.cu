/* kernels/cuda/copy.cu - strided copies, operands from floats, sums of vectors, rounding. */
#include "kernels/cuda/numbers.cuh"

/* ------------------------------------------------------------------------------------- copy2d */

/* As parl_copy2d_args, distances and width in pieces of T; I holds rows * groups * width. */
template <class T, class I>
static __global__ void copy2d(parl_copy2d_args a) {
  const I width = (I)a.width, groups = (I)a.groups;
  const size_t i = thread_index();
  if (i >= a.rows * a.groups * a.width) return;
  const I piece = (I)i / width, column = (I)i % width, row = piece / groups, group = piece % groups;
  ((T *)a.to)[row * a.to_row + group * a.to_group + column] =
      ((const T *)a.from)[row * a.from_row + group * a.from_group + column];
}

template <class T>
static void copy_pieces(parl_queue *queue, parl_copy2d_args a) {
  const size_t times = sizeof(T) / a.unit, n = a.rows * a.groups * (a.width / times);
  a.width /= times;
  a.from_row /= times, a.from_group /= times;
  a.to_row /= times, a.to_group /= times;
  if (n < UINT32_MAX)
    LAUNCH(queue, (copy2d<T, uint32_t>), thread_blocks(n), BLOCK, 0, a);
  else
    LAUNCH(queue, (copy2d<T, uint64_t>), thread_blocks(n), BLOCK, 0, a);
}

/* Whether all pieces begin and end at multiples of so many bytes. */
static bool is_multiple(const parl_copy2d_args *a, size_t bytes) {
  const size_t counts = a->width | (a->rows > 1 ? a->from_row | a->to_row : 0) |
                        (a->groups > 1 ? a->from_group | a->to_group : 0);
  return (((uintptr_t)a->from | (uintptr_t)a->to | counts * a->unit) & (bytes - 1)) == 0;
}

void parl_cuda_copy2d(parl_queue *queue, const parl_copy2d_args *a) {
  if (a->unit != 2 && a->unit != 4) {
    parl_cuda_fail(queue, PARL_STATUS_EINVAL, "copy2d", "elements of 2 or 4 bytes are copied");
    return;
  }
  if (is_multiple(a, sizeof(uint4)))
    copy_pieces<uint4>(queue, *a);
  else if (a->unit == 4)
    copy_pieces<uint32_t>(queue, *a);
  else
    copy_pieces<uint16_t>(queue, *a);
}

/* ------------------------------------------------------------------------- a thread an element */

template <class A>
static __global__ void to_act(parl_to_act_args a) {
  const size_t i = thread_index();
  if (i < a.n) store(acts<A>(a.y) + i, a.x[i]);
}
template <class A>
void parl_cuda_to_act(parl_queue *queue, const parl_to_act_args *a) {
  LAUNCH(queue, to_act<A>, thread_blocks(a->n), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(to_act)

static __global__ void axpby(parl_axpby_args a) {
  const size_t i = thread_index();
  if (i < a.n) a.y[i] = (a.x != NULL ? a.a * a.x[i] : 0.0f) + a.b * a.y[i];
}
void parl_cuda_axpby(parl_queue *queue, const parl_axpby_args *a) {
  LAUNCH(queue, axpby, thread_blocks(a->n), BLOCK, 0, *a);
}

static __global__ void normalise(parl_normalise_args a) {
  const size_t i = thread_index();
  if (i < a.n) a.x[i] /= (float)(sqrt(*a.squares) + 1e-7);
}
void parl_cuda_normalise(parl_queue *queue, const parl_normalise_args *a) {
  LAUNCH(queue, normalise, thread_blocks(a->n), BLOCK, 0, *a);
}

template <class A>
static __global__ void sum_heads(parl_sum_heads_args a) {
  const size_t i = thread_index(), row = i / a.D, column = i % a.D;
  if (i >= a.rows * a.D) return;
  const A *x = acts<A>(a.x) + row * a.ld_x + column;
  float sum = 0.0f;
  for (size_t h = 0; h < a.heads; h++) sum += load(x + h * a.head_stride);
  store(acts<A>(a.y) + row * a.ld_y + column, sum);
}
template <class A>
void parl_cuda_sum_heads(parl_queue *queue, const parl_sum_heads_args *a) {
  LAUNCH(queue, sum_heads<A>, thread_blocks(a->rows * a->D), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(sum_heads)

/* ------------------------------------------------------------------------- a warp a group: int4 */

static __global__ void round_int4(parl_round_int4_args a, size_t groups) {
  static_assert((int)PARL_INT4_GROUP == (int)WARP, "a lane has one weight of its group");
  const size_t warp = warp_index(), row = warp / groups;
  const size_t column = warp % groups * WARP + lane_index(), i = row * a.columns + column;
  if (row >= a.rows) return;
  const bool is_there = column < a.columns;
  const float w = is_there ? a.w[i] : 0.0f, largest = warp_max(fabsf(w));
  const bool is_finite = __all_sync(EVERY_LANE, fabsf(w) < INFINITY) != 0;
  const float scale = __bfloat162float(__float2bfloat16_rn(largest / 7.0f));
  const float steps = fmaxf(-7.0f, fminf(7.0f, rintf(w / scale)));
  if (is_there) a.out[i] = !is_finite ? NAN : scale > 0.0f ? steps * scale : 0.0f;
}
void parl_cuda_round_int4(parl_queue *queue, const parl_round_int4_args *a) {
  const size_t groups = ceil_div(a->columns, PARL_INT4_GROUP);
  LAUNCH(queue, round_int4, warp_blocks(a->rows * groups), BLOCK, 0, *a, groups);
}
