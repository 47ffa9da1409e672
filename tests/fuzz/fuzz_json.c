/* tests/fuzz/fuzz_json.c - any bytes: refused, or a tree whose canonical text parses to itself. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static parl_json *parse(const char *bytes, size_t n) {
  parl_json *root = NULL;
  const parl_status s = parl_json_parse(bytes, n, "fuzz", &root);
  if ((s == PARL_STATUS_OK) != (root != NULL)) abort();
  if (s != PARL_STATUS_OK && s != PARL_STATUS_EFORMAT) abort();
  return root;
}

static size_t count_nodes(const parl_json *node) {
  size_t n = 1, n_children = 0;
  for (const parl_json *c = parl_json_get_first(node); c != NULL; c = parl_json_get_next(c)) {
    n += count_nodes(c);
    n_children++;
    if (parl_json_get_type(node) == PARL_JSON_OBJECT &&
        parl_json_find(node, parl_json_get_key(c)) != c)
      abort();
  }
  if (n_children != parl_json_get_size(node)) abort();
  return n;
}

/* Takes the first bytes for a path: what is set there is found there. */
static void edit(parl_json *root, const uint8_t *data, size_t size) {
  char path[64] = "";
  memcpy(path, data, size < sizeof path ? size : sizeof path - 1);
  if (parl_json_set_path(root, path, path) == PARL_STATUS_OK &&
      parl_json_find_path(root, path) == NULL)
    abort();
  parl_json *copy = NULL;
  if (parl_json_copy(root, &copy) != PARL_STATUS_OK) abort();
  if (parl_json_get_type(root) == PARL_JSON_OBJECT && parl_json_merge(root, copy) != PARL_STATUS_OK)
    abort();
  parl_text a = {0}, b = {0};
  parl_json_append_canonical(root, &a); /* merged with itself nothing changes */
  parl_json_append_canonical(copy, &b);
  if (strcmp(parl_text_get(&a), parl_text_get(&b)) != 0) abort();
  parl_text_deinit(&a);
  parl_text_deinit(&b);
  parl_json_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  parl_json *root = parse((const char *)data, size);
  if (root == NULL) return 0;
  count_nodes(root);
  parl_text first = {0}, second = {0};
  parl_json_append_canonical(root, &first);
  parl_json *again = parse(first.bytes, first.n);
  if (again == NULL) abort();
  parl_json_append_canonical(again, &second);
  if (first.n != second.n || memcmp(first.bytes, second.bytes, first.n) != 0) abort();
  edit(root, data, size);
  parl_text_deinit(&first);
  parl_text_deinit(&second);
  parl_json_destroy(again);
  parl_json_destroy(root);
  return 0;
}
