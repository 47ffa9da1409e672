/* engine/hf_keys.c - a key that nobody reads is a mistake if it looks like one that is read. */
#include <string.h>

#include "core/config.h"
#include "engine/hf_internal.h"

/* What published configs carry and no result here depends on. */
static const char *const IGNORED[] = {
    /* every config of transformers */
    "_attn_implementation", "_commit_hash", "_name_or_path", "add_cross_attention", "architectures",
    "attn_implementation", "auto_map", "bad_words_ids", "begin_suppress_tokens", "bos_token_id",
    "chunk_size_feed_forward", "cross_attention_hidden_size", "decoder_start_token_id",
    "diversity_penalty", "do_sample", "dtype", "early_stopping", "encoder_no_repeat_ngram_size",
    "eos_token_id", "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id",
    "forced_eos_token_id", "id2label", "is_decoder", "is_encoder_decoder", "label2id",
    "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups",
    "num_beams", "num_return_sequences", "output_attentions", "output_hidden_states",
    "output_scores", "prefix", "problem_type", "pruned_heads", "remove_invalid_values",
    "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id",
    "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss",
    "tie_encoder_decoder", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript",
    "transformers_version", "typical_p", "unsloth_fixed", "use_bfloat16", "use_cache",
    /* of DeepSeek, Kimi and Llama */
    "attention_dropout", "ep_size", "hidden_dropout", "ignore_index", "pretraining_tp",
    "qk_head_dim", "residual_dropout", "seq_aux", "sliding_window", "unk_token_id",
    "use_sliding_window", "use_unified_vision_chunk", "video_placeholder"};

static bool is_in(const char *key, const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(names[i], key) == 0) return true;
  return false;
}

parl_status parl_hf_check_keys(const parl_json *object, const char *name, const char *const *names,
                               size_t n) {
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c), *near = parl_nearest(key, names, n);
    if (is_in(key, names, n)) continue;
    if (near != NULL)
      return parl_fail(PARL_STATUS_EFORMAT, "\"%s\": unknown key \"%s\"; did you mean \"%s\"?",
                       name, key, near);
    parl_text known = {0};
    for (size_t i = 0; i < n; i++) parl_text_appendf(&known, "%s%s", i ? ", " : "", names[i]);
    const parl_status s = parl_fail(PARL_STATUS_EFORMAT, "\"%s\": unknown key \"%s\"; known are %s",
                                    name, key, parl_text_get(&known));
    parl_text_deinit(&known);
    return s;
  }
  return PARL_STATUS_OK;
}

parl_status parl_hf_check_misspelt(const parl_json *object, const char *const *names, size_t n) {
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    const char *key = parl_json_get_key(c);
    if (is_in(key, names, n) || is_in(key, IGNORED, sizeof IGNORED / sizeof IGNORED[0])) continue;
    const char *near = parl_nearest(key, names, n);
    if (near != NULL && parl_json_find(object, near) == NULL)
      return parl_fail(PARL_STATUS_EFORMAT, "unknown key \"%s\"; did you mean \"%s\"?", key, near);
  }
  return PARL_STATUS_OK;
}
