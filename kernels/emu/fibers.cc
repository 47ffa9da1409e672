/* kernels/emu/fibers.cc - going from one stack to another. */
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#endif
#ifdef HAS_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
}
#endif

#if defined(__x86_64__)
/* Saves what a call keeps on the old stack, and takes up what the new one has. */
extern "C" void parl_emu_switch(void **from, void *to);
__asm__(
    ".text\n.globl parl_emu_switch\n.type parl_emu_switch,@function\nparl_emu_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n  ret\n"
    ".size parl_emu_switch,.-parl_emu_switch\n");

/* A stack that "returns" into entry, aligned as if that had been called. */
static void *first_frame(char *stack, void (*entry)(void)) {
  void **top = (void **)(void *)(stack + PARL_EMU_STACK_BYTES) - 3;
  *top = NULL; /* nobody to return to */
  *--top = (void *)entry;
  for (int i = 0; i < 6; i++) *--top = NULL;
  return top;
}
#else
#include <ucontext.h>
/* Slower, since it asks the system about signals each time. */
static void parl_emu_switch(void **from, void *to) {
  ucontext_t here;
  *from = &here;
  swapcontext(&here, (ucontext_t *)to);
}
static void *first_frame(char *stack, void (*entry)(void)) {
  ucontext_t *frame = (ucontext_t *)(void *)stack;
  getcontext(frame);
  frame->uc_stack.ss_sp = stack + sizeof *frame;
  frame->uc_stack.ss_size = PARL_EMU_STACK_BYTES - sizeof *frame;
  frame->uc_link = NULL;
  makecontext(frame, entry, 0);
  return frame;
}
#endif

PARL_EMU_UNCHECKED void parl_emu_enter(parl_emu_home *home, parl_emu_fiber *fiber,
                                       void (*entry)(void)) {
  if (fiber->at == NULL) fiber->at = first_frame(fiber->stack, entry);
#ifdef HAS_ASAN
  void *save;
  __sanitizer_start_switch_fiber(&save, fiber->stack, PARL_EMU_STACK_BYTES);
  parl_emu_switch(&home->at, fiber->at);
  __sanitizer_finish_switch_fiber(save, NULL, NULL);
#else
  parl_emu_switch(&home->at, fiber->at);
#endif
}

PARL_EMU_UNCHECKED void parl_emu_arrived(parl_emu_home *home) {
#ifdef HAS_ASAN
  __sanitizer_finish_switch_fiber(NULL, &home->stack, &home->stack_bytes);
#else
  (void)home;
#endif
}

PARL_EMU_UNCHECKED void parl_emu_leave(parl_emu_home *home, parl_emu_fiber *fiber, bool is_done) {
#ifdef HAS_ASAN
  void *save;
  __sanitizer_start_switch_fiber(is_done ? NULL : &save, home->stack, home->stack_bytes);
  parl_emu_switch(&fiber->at, home->at);
  __sanitizer_finish_switch_fiber(save, NULL, NULL);
#else
  (void)is_done;
  parl_emu_switch(&fiber->at, home->at);
#endif
}

void parl_emu_forget(parl_emu_fiber *fiber) {
#ifdef HAS_ASAN
  __asan_unpoison_memory_region(fiber->stack, PARL_EMU_STACK_BYTES);
#endif
  fiber->at = NULL;
}
