#include "clips.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MAX_WORDS = 100 };

static char *slurp(int fd, size_t *size)
{
    size_t used = 0, room = 1 << 16;
    char *data = malloc(room);
    for (;;) {
        const ssize_t n = read(fd, data + used, room - used - 1);
        if (n <= 0)
            break;
        used += (size_t)n;
        if (room - used < 2)
            data = realloc(data, room *= 2);
    }
    data[used] = '\0';
    *size = used;
    return data;
}

static char *run_words(size_t *size, char *const words[])
{
    int ends[2];
    if (pipe(ends) < 0)
        return NULL;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        if (!getenv("EMS_TEST_VERBOSE"))
            dup2(null, STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(words[0], words);
        _exit(127);
    }
    close(ends[1]);
    size_t ours;
    char *text = slurp(ends[0], size ? size : &ours);
    close(ends[0]);
    int status = 1;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return text;
    free(text);
    return NULL;
}

char *run_program(size_t *size, const char *program, ...)
{
    char *words[MAX_WORDS] = {(char *)(uintptr_t)program};
    va_list args;
    va_start(args, program);
    for (int n = 1; n < MAX_WORDS - 1; n++)
        if (!(words[n] = va_arg(args, char *)))
            break;
    va_end(args);
    return run_words(size, words);
}

static char folder[512];

static void empty_folder(void)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%.255s", folder, e->d_name);
        unlink(path);
    }
    closedir(d);
}

int have_ffmpeg(const char *clips)
{
    static const char *const needed[] = {"libx264", "libx265", "libvpx",
                                         "libopus", "libvorbis", " aac "};
    char *probe = run_program(NULL, "ffprobe", "-version", NULL);
    char *text = run_program(NULL, "ffmpeg", "-hide_banner", "-encoders",
                             NULL);
    int have = probe && text;
    for (size_t i = 0; have && i < sizeof needed / sizeof *needed; i++)
        have = strstr(text, needed[i]) != NULL;
    free(probe);
    free(text);
    if (!have)
        printf("skipped: needs the ffmpeg and ffprobe programs\n");
    snprintf(folder, sizeof folder, "%s", clips);
    mkdir(folder, 0777);
    empty_folder();
    return have;
}

const char *kept_path(const char *in, const char *name)
{
    static char paths[256][600];
    char path[600];
    snprintf(path, sizeof path, "%s/%s", in, name);
    size_t i = 0;
    while (i < 256 && paths[i][0] && strcmp(paths[i], path) != 0)
        i++;
    assert_true(i < 256);
    memcpy(paths[i], path, sizeof path);
    return paths[i];
}

const char *clip_path(const char *name)
{
    return kept_path(folder, name);
}

static const char *fresh_clip(const char *name, const char *line)
{
    char *const copy = strdup(line);
    const char *path = clip_path(name);
    char url[1100];
    snprintf(url, sizeof url, "file:%s", path);
    char *words[MAX_WORDS] = {"ffmpeg", "-nostdin", "-v", "error", "-y",
                              "-threads", "1"};
    int n = 7;
    for (char *w = strtok(copy, " "); w && n < MAX_WORDS - 2;
         w = strtok(NULL, " "))
        words[n++] = w;
    words[n] = url;
    unlink(path);
    char *out = run_words(NULL, words);
    if (!out)
        fail_msg("ffmpeg %s %s did not work", line, path);
    free(out);
    free(copy);
    return path;
}

const char *clip(const char *name, const char *line)
{
    const char *path = clip_path(name);
    return access(path, R_OK) == 0 ? path : fresh_clip(name, line);
}

void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

int leftovers(const char *in)
{
    DIR *d = opendir(in);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += strncmp(e->d_name, ".emsync-", 8) == 0;
    closedir(d);
    return n;
}

static void hear(void *user, ems_log_level level, const char *text)
{
    told *t = user;
    if (level != EMS_LOG_WARNING)
        return;
    t->warnings++;
    snprintf(t->last, sizeof t->last, "%s", text);
}

static void progress(void *user, const char *stage, double done)
{
    told *t = user;
    assert_non_null(stage);
    assert_true(done >= 0 && done <= 1);
    t->done = done;
}

static int cancelled(void *user)
{
    told *t = user;
    return t->cancel_at && ++t->calls > t->cancel_at;
}

void listen_to(told *t)
{
    *t = (told){0};
    t->run = (ems_run){.threads = 2, .user = t, .progress = progress,
                       .log = hear, .cancelled = cancelled};
}
