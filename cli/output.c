/* cli/output.c - standard output: opened, written, closed, with every failure said. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

void cli_open_output(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      /* The wrong way round: using it is EBADF as before. The lowest free number is fd. */
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int cli_close_output(int code) {
  int error = 0;
  if (ferror(stdout)) { /* its errno is gone; what failed then fails again and says it */
    clearerr(stdout);
    error = putchar('\n') == EOF || fflush(stdout) != 0 ? errno : EIO;
  }
  if (fclose(stdout) != 0 && error == 0) error = errno;
  if (error == 0 || error == EPIPE) return code;
  fprintf(stderr, "parl: standard output: %s; what was printed is not whole\n", strerror(error));
  return code == CLI_DONE ? CLI_FAILED : code;
}

parl_status cli_print(parl_text *text) {
  const parl_status s = parl_text_status(text);
  if (s == PARL_STATUS_OK && text->n > 0) {
    fwrite(text->bytes, 1, text->n, stdout);
    if (text->bytes[text->n - 1] != '\n') putchar('\n');
  }
  parl_text_deinit(text);
  return s;
}

cli_cell cli_fixed(int width, int decimals, double x) {
  cli_cell cell;
  snprintf(cell.text, sizeof cell.text, "%*.*f", width, decimals, x);
  if (!isfinite(x)) snprintf(cell.text, sizeof cell.text, "%*s", width, "-");
  return cell;
}

cli_cell cli_general(int width, int digits, double x) {
  cli_cell cell;
  snprintf(cell.text, sizeof cell.text, "%*.*g", width, digits, x);
  if (!isfinite(x)) snprintf(cell.text, sizeof cell.text, "%*s", width, "-");
  return cell;
}

bool cli_has_colour(void) {
  const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) && term != NULL && !(term[0] == 'd' && term[1] == 'u') &&
         (no == NULL || no[0] == '\0');
}
