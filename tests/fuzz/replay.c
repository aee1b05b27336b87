/*
 * replay: stands in for a fuzzer where there is none: gives a target every input of the folders
 * named, in the order of their names. What broke something once is then looked at in every build.
 */
#include <assert.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* For targets that change inputs in a way of their own: here nothing is changed. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max)
{
    (void)bytes;
    (void)max;
    return size;
}

/* What goes wrong tells of itself, but not with which input. */
static char telling[1200];
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void tell(void)
{
    if (write(STDERR_FILENO, telling, strlen(telling)) < 0)
        _exit(2);
}

static void on_signal(int number)
{
    tell();
    signal(number, SIG_DFL);
    kill(getpid(), number);
}

static void replay(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    assert(file != NULL);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    assert(size < sizeof bytes && ferror(file) == 0);
    fclose(file);
    /* As long as it is, so that a sanitizer sees what is read behind it. */
    uint8_t *input = malloc(size);
    if (size > 0) {
        assert(input != NULL);
        memcpy(input, bytes, size);
    }
    snprintf(telling, sizeof telling, "replay: the input is %s\n", path);
    LLVMFuzzerTestOneInput(input, size);
    free(input);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
    char path[1024];
    struct dirent **entries;
    int count = scandir(folder, &entries, is_input, alphasort);
    if (count < 0) {
        perror(folder);
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        replay(path);
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(tell);
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
