/* core/json.c - the tree: reading members, setting paths, merging. */
#include "core/json.h"

#include <string.h>

#include "core/json_internal.h"

static parl_status fail_memory(void) {
  return parl_fail(PARL_STATUS_ENOMEM, "json: no memory for a node");
}

static parl_status keep(cJSON *node, parl_json **out) {
  if (node == NULL) return fail_memory();
  *out = parl_json_from_node(node);
  return PARL_STATUS_OK;
}

parl_status parl_json_create_object(parl_json **out) {
  return keep(cJSON_CreateObject(), out);
}

parl_status parl_json_copy(const parl_json *node, parl_json **out) {
  PARL_REQUIRE(node != NULL);
  return keep(cJSON_Duplicate(parl_json_to_const_node(node), 1), out);
}

void parl_json_destroy(parl_json *root) {
  cJSON_Delete(parl_json_to_node(root));
}

parl_json_type parl_json_get_type(const parl_json *node) {
  const cJSON *n = parl_json_to_const_node(node);
  if (cJSON_IsBool(n)) return PARL_JSON_BOOL;
  if (cJSON_IsNumber(n)) return PARL_JSON_NUMBER;
  if (cJSON_IsString(n)) return PARL_JSON_STRING;
  if (cJSON_IsArray(n)) return PARL_JSON_ARRAY;
  if (cJSON_IsObject(n)) return PARL_JSON_OBJECT;
  return PARL_JSON_NULL;
}

const char *parl_json_type_name(parl_json_type t) {
  static const char *const names[] = {"null", "bool", "number", "string", "array", "object"};
  return (size_t)t < sizeof names / sizeof names[0] ? names[t] : "?";
}

const char *parl_json_get_string(const parl_json *node) {
  const cJSON *n = parl_json_to_const_node(node);
  return cJSON_IsString(n) ? n->valuestring : NULL;
}

double parl_json_get_number(const parl_json *node) {
  const cJSON *n = parl_json_to_const_node(node);
  return cJSON_IsNumber(n) ? n->valuedouble : 0.0;
}

bool parl_json_get_bool(const parl_json *node) {
  return cJSON_IsTrue(parl_json_to_const_node(node));
}

const char *parl_json_get_key(const parl_json *node) {
  return node == NULL ? NULL : parl_json_to_const_node(node)->string;
}

static bool is_container(const cJSON *node) {
  return cJSON_IsArray(node) || cJSON_IsObject(node);
}

size_t parl_json_get_size(const parl_json *node) {
  const cJSON *n = parl_json_to_const_node(node);
  return is_container(n) ? (size_t)cJSON_GetArraySize(n) : 0;
}

const parl_json *parl_json_get_first(const parl_json *node) {
  const cJSON *n = parl_json_to_const_node(node);
  return is_container(n) ? parl_json_from_node(n->child) : NULL;
}

const parl_json *parl_json_get_next(const parl_json *node) {
  return node == NULL ? NULL : parl_json_from_node(parl_json_to_const_node(node)->next);
}

/* Member whose key is key [n], or NULL. */
static cJSON *find_member(const cJSON *object, const char *key, size_t n) {
  if (!cJSON_IsObject(object)) return NULL;
  for (cJSON *c = object->child; c != NULL; c = c->next)
    if (strncmp(c->string, key, n) == 0 && c->string[n] == '\0') return c;
  return NULL;
}

const parl_json *parl_json_find(const parl_json *object, const char *key) {
  return parl_json_from_node(find_member(parl_json_to_const_node(object), key, strlen(key)));
}

/* The deepest node along the dotted path that exists, the last key left out; *rest is what follows
 * it on the path: one key if every object on the way is there. */
static cJSON *walk(cJSON *root, const char *path, const char **rest) {
  cJSON *node = root;
  for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(path, '.')) {
    cJSON *child = find_member(node, path, (size_t)(dot - path));
    if (child == NULL) break;
    node = child;
    path = dot + 1;
  }
  *rest = path;
  return node;
}

static int count_segments(const char *path) {
  int n = 1;
  for (; *path != '\0'; path++) n += *path == '.';
  return n;
}

static bool is_path(const char *path) {
  const size_t n = strlen(path);
  return n > 0 && path[0] != '.' && path[n - 1] != '.' && strstr(path, "..") == NULL &&
         count_segments(path) <= PARL_JSON_MAX_DEPTH && parl_utf8_find_bad(path, n) == n;
}

const parl_json *parl_json_find_path(const parl_json *root, const char *path) {
  if (!is_path(path)) return NULL;
  const char *rest;
  const cJSON *parent = walk((cJSON *)(uintptr_t)root, path, &rest);
  return parl_json_from_node(find_member(parent, rest, strlen(rest)));
}

/* Gives `item` the key [n]; on failure the item is deleted. */
static parl_status set_key(cJSON *item, const char *key, size_t n) {
  char *copy = cJSON_malloc(n + 1);
  if (copy == NULL) {
    cJSON_Delete(item);
    return fail_memory();
  }
  memcpy(copy, key, n);
  copy[n] = '\0';
  if (item->string != NULL) cJSON_free(item->string);
  item->string = copy;
  return PARL_STATUS_OK;
}

/* Puts an item that has its key into the object, in the place of the member of that key if any. */
static void put_member(cJSON *object, cJSON *item) {
  cJSON *old = find_member(object, item->string, strlen(item->string));
  if (old != NULL)
    cJSON_ReplaceItemViaPointer(object, old, item);
  else
    cJSON_AddItemToArray(object, item);
}

/* The value of a command line's text: a JSON literal, or else the text itself. */
static parl_status parse_value_text(const char *path, const char *text, cJSON **out) {
  parl_json *value = NULL;
  parl_status s = parl_json_parse(text, strlen(text), path, &value);
  if (s == PARL_STATUS_EFORMAT) {
    if (parl_utf8_find_bad(text, strlen(text)) < strlen(text))
      return parl_fail(PARL_STATUS_EINVAL, "%s: the value is not UTF-8", path);
    s = keep(cJSON_CreateString(text), &value);
  }
  PARL_TRY(s);
  *out = parl_json_to_node(value);
  return PARL_STATUS_OK;
}

/* Wraps *item into objects for every segment of `path` but the first, then gives it the first as
 * its key: the tree is touched only when nothing can fail any more. Deletes *item on failure. */
static parl_status wrap(const char *path, cJSON **item) {
  const char *end = path + strlen(path);
  for (;;) {
    const char *key = end;
    while (key > path && key[-1] != '.') key--;
    PARL_TRY(set_key(*item, key, (size_t)(end - key)));
    if (key == path) return PARL_STATUS_OK;
    cJSON *object = cJSON_CreateObject();
    if (object == NULL) {
      cJSON_Delete(*item);
      return fail_memory();
    }
    cJSON_AddItemToArray(object, *item);
    *item = object;
    end = key - 1;
  }
}

parl_status parl_json_set_path(parl_json *root, const char *path, const char *value_text) {
  PARL_REQUIRE(root != NULL && path != NULL && value_text != NULL);
  if (!is_path(path))
    return parl_fail(PARL_STATUS_EINVAL, "\"%s\" is no path: keys joined by single dots are due",
                     path);
  const char *rest;
  cJSON *parent = walk(parl_json_to_node(root), path, &rest);
  if (!cJSON_IsObject(parent)) {
    const parl_json_type type = parl_json_get_type(parl_json_from_node(parent));
    return parl_fail(PARL_STATUS_EINVAL, "\"%.*s\" is of type %s and takes no member \"%s\"",
                     (int)(rest > path ? rest - path - 1 : 0), path, parl_json_type_name(type),
                     rest);
  }
  cJSON *item = NULL;
  PARL_TRY(parse_value_text(path, value_text, &item));
  PARL_TRY(wrap(rest, &item));
  put_member(parent, item);
  return PARL_STATUS_OK;
}

static parl_status merge_into(cJSON *base, const cJSON *over) {
  for (const cJSON *c = over->child; c != NULL; c = c->next) {
    cJSON *old = find_member(base, c->string, strlen(c->string));
    if (cJSON_IsObject(old) && cJSON_IsObject(c)) {
      PARL_TRY(merge_into(old, c));
      continue;
    }
    cJSON *copy = cJSON_Duplicate(c, 1);
    if (copy == NULL) return fail_memory();
    put_member(base, copy);
  }
  return PARL_STATUS_OK;
}

parl_status parl_json_merge(parl_json *base, const parl_json *over) {
  cJSON *target = parl_json_to_node(base);
  PARL_REQUIRE(cJSON_IsObject(target) && cJSON_IsObject(parl_json_to_const_node(over)));
  cJSON *merged = cJSON_Duplicate(target, 1);
  if (merged == NULL) return fail_memory();
  const parl_status s = merge_into(merged, parl_json_to_const_node(over));
  if (s == PARL_STATUS_OK) {
    cJSON *children = target->child;
    target->child = merged->child;
    merged->child = children;
  }
  cJSON_Delete(merged);
  return s;
}

void parl_json_remove(parl_json *object, const char *key) {
  cJSON *node = parl_json_to_node(object);
  cJSON *member = find_member(node, key, strlen(key));
  if (member != NULL) cJSON_Delete(cJSON_DetachItemViaPointer(node, member));
}

const char *parl_json_library_version(void) {
  return cJSON_Version();
}
