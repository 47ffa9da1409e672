/* core/folder.h - a folder that appears under its name when everything in it is written.
 *
 * Thread rule: pure functions of the file system. Reading order: begin, commit, abort. */
#ifndef PARL_CORE_FOLDER_H
#define PARL_CORE_FOLDER_H
#include "core/status.h"

enum { PARL_FOLDER_PATH_BYTES = 4096 };

/* Makes the empty folder path.tmp.<pid>, whose name goes into `temporary`, and those above it.
 * Nothing may have the name `path` yet. Fails: EIO naming the path, EINVAL if it is too long. */
parl_status parl_folder_begin(const char *path, char temporary[PARL_FOLDER_PATH_BYTES]);

/* Syncs the folder and gives it its name; the files in it were synced when they were written. What
 * got the name meanwhile is not replaced unless it is an empty folder. Fails: EIO; abort next. */
parl_status parl_folder_commit(const char *path, const char *temporary);

/* Removes the folder and the plain files in it. Keeps the thread's error text. */
void parl_folder_abort(const char *temporary);

#endif
