#include "emotion/tesseract.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DPI = 150, /* only keeps it from guessing */
    LSTM_ONLY = 1, WORD = 3,        /* Tesseract's OEM and RIL */
    ONE_BLOCK = 6,                  /* and page segmentation */
    SURE = 70,                      /* percent; less is not taken for a word */
    LEAST_LETTERS = 3,              /* in one word at least */
};

/* X(field, symbol, result, arguments): what is used of the C API. */
#define FUNCTIONS(X)                                                        \
    X(version, "TessVersion", const char *, (void))                         \
    X(create, "TessBaseAPICreate", void *, (void))                          \
    X(destroy, "TessBaseAPIDelete", void, (void *))                         \
    X(init, "TessBaseAPIInit2", int,                                        \
      (void *, const char *, const char *, int))                            \
    X(set_variable, "TessBaseAPISetVariable", int,                          \
      (void *, const char *, const char *))                                 \
    X(set_mode, "TessBaseAPISetPageSegMode", void, (void *, int))           \
    X(set_image, "TessBaseAPISetImage", void,                               \
      (void *, const unsigned char *, int, int, int, int))                  \
    X(set_dpi, "TessBaseAPISetSourceResolution", void, (void *, int))       \
    X(recognize, "TessBaseAPIRecognize", int, (void *, void *))             \
    X(clear, "TessBaseAPIClear", void, (void *))                            \
    X(words, "TessBaseAPIGetIterator", void *, (void *))                    \
    X(next, "TessResultIteratorNext", int, (void *, int))                   \
    X(text, "TessResultIteratorGetUTF8Text", char *, (const void *, int))   \
    X(sure, "TessResultIteratorConfidence", float, (const void *, int))     \
    X(end_words, "TessResultIteratorDelete", void, (void *))                \
    X(free_text, "TessDeleteText", void, (const char *))                    \
    X(new_clock, "TessMonitorCreate", void *, (void))                       \
    X(free_clock, "TessMonitorDelete", void, (void *))                      \
    X(set_clock, "TessMonitorSetDeadlineMSecs", void, (void *, int))

struct ems_tesseract {
    void *library, *api; /* NULL: nothing was read yet */
    char *english;
    char name[80];
#define X(field, symbol, result, arguments) result (*field) arguments;
    FUNCTIONS(X)
#undef X
};

/* ---- Opening -------------------------------------------------------------*/

/* ISO C has no cast from an object's address to a function's. */
static int find(void *library, const char *symbol, void *function)
{
    void *address = dlsym(library, symbol);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static int open_library(ems_tesseract *t, ems_error *err)
{
    const char *named = getenv("EMSYNC_TESSERACT");
    const int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    int all = 1;
    if (named && *named) {
        t->library = dlopen(named, how);
    } else {
        t->library = dlopen("libtesseract.so.5", how);
        if (!t->library)
            t->library = dlopen("libtesseract.so.4", how);
    }
    if (!t->library)
        return ems_fail(err, EMS_EUNSUPPORTED, "Tesseract is not installed"
                        " (Debian: libtesseract5)");
#define X(field, symbol, result, arguments) \
    all = find(t->library, symbol, &t->field) && all;
    FUNCTIONS(X)
#undef X
    if (!all)
        return ems_fail(err, EMS_EUNSUPPORTED, "what is installed as"
                        " Tesseract is another library (Debian:"
                        " libtesseract5)");
    return EMS_OK;
}

/* The folder that holds eng.traineddata and that file's size; 0: none. */
static const char *find_english(long long *size)
{
    const char *const folders[] = {
        getenv("TESSDATA_PREFIX"), "/usr/share/tesseract-ocr/5/tessdata",
        "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata",
        "/usr/local/share/tessdata",
    };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct stat info;
        if (!folders[i] || !*folders[i])
            continue;
        char *path = ems_path_join(folders[i], "eng.traineddata");
        const int found = path && stat(path, &info) == 0;
        ems_free(path);
        if (found) {
            *size = (long long)info.st_size;
            return folders[i];
        }
        if (i == 0) /* who names a folder means no other */
            return NULL;
    }
    return NULL;
}

/* Its threads would take the decoder's; the setting is this thread's own. */
static void use_one_thread(const ems_tesseract *t)
{
    void (*threads)(int);
    if (find(t->library, "omp_set_num_threads", &threads))
        threads(1);
}

ems_tesseract *ems_tesseract_open(ems_error *err)
{
    long long size = 0;
    ems_tesseract *t = ems_alloc(1, sizeof *t);
    if (!t) {
        ems_out_of_memory(err);
        return NULL;
    }
    int code = open_library(t, err);
    const char *folder = code == EMS_OK ? find_english(&size) : NULL;
    if (code == EMS_OK && !folder)
        code = ems_fail(err, EMS_EUNSUPPORTED, "Tesseract's English is not"
                        " installed (Debian: tesseract-ocr-eng)");
    if (code == EMS_OK) {
        snprintf(t->name, sizeof t->name, "tesseract %.30s eng %lld",
                 t->version(), size);
        t->english = ems_strdup(folder);
        if (!t->english)
            code = ems_out_of_memory(err);
    }
    if (code < 0) {
        ems_tesseract_close(t);
        return NULL;
    }
    return t;
}

const char *ems_tesseract_name(const ems_tesseract *t)
{
    return t->name;
}

void ems_tesseract_close(ems_tesseract *t)
{
    if (!t)
        return;
    if (t->api)
        t->destroy(t->api);
    ems_free(t->english);
    ems_free(t); /* the library stays: it has threads of its own */
}

/* ---- Reading ------------------------------------------------------------ */

/* The network is loaded when there is something to read. */
static int load(ems_tesseract *t, ems_error *err)
{
    t->api = t->create();
    if (!t->api)
        return ems_out_of_memory(err);
    t->set_variable(t->api, "debug_file", "/dev/null");
    if (t->init(t->api, t->english, "eng", LSTM_ONLY) != 0) {
        t->destroy(t->api);
        t->api = NULL;
        return ems_fail(err, EMS_EFORMAT, "Tesseract cannot read"
                        " \"%.100s/eng.traineddata\"; install"
                        " tesseract-ocr-eng anew", t->english);
    }
    t->set_mode(t->api, ONE_BLOCK);
    use_one_thread(t);
    return EMS_OK;
}

static int is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* Letters of a word that is mostly letters; 0: it is none. */
static size_t letters_of(const char *word)
{
    size_t letters = 0, all = strlen(word);
    for (const char *c = word; *c; c++) {
        if ((unsigned char)*c < ' ')
            return 0;
        letters += (size_t)is_letter((unsigned char)*c);
    }
    return 3 * letters >= 2 * all ? letters : 0;
}

static void append(char text[EMS_TESSERACT_TEXT], const char *word)
{
    const size_t used = strlen(text), more = strlen(word);
    if (used + more + 2 > EMS_TESSERACT_TEXT)
        return;
    snprintf(text + used, EMS_TESSERACT_TEXT - used, "%s%s", used ? " " : "",
             word);
}

static void collect(const ems_tesseract *t, char text[EMS_TESSERACT_TEXT])
{
    size_t longest = 0;
    void *at = t->words(t->api);
    for (int more = at != NULL; more; more = t->next(at, WORD)) {
        char *word = t->text(at, WORD);
        const size_t letters = word ? letters_of(word) : 0;
        if (letters && t->sure(at, WORD) >= SURE) {
            append(text, word);
            longest = letters > longest ? letters : longest;
        }
        if (word)
            t->free_text(word);
    }
    if (at)
        t->end_words(at);
    if (longest < LEAST_LETTERS)
        text[0] = '\0';
}

int ems_tesseract_read(ems_tesseract *t, const uint8_t *grey, int width,
                       int height, double seconds,
                       char text[EMS_TESSERACT_TEXT], ems_error *err)
{
    const double start = ems_now();
    text[0] = '\0';
    if (width < 3 || height < 3 || width > 8192 || height > 8192)
        return ems_fail(err, EMS_EINVAL, "a picture of %d x %d cannot be"
                        " read; 3 to 8192 pixels each can", width, height);
    if (!t->api && load(t, err) < 0)
        return EMS_EFORMAT;
    void *clock = t->new_clock();
    if (!clock)
        return ems_out_of_memory(err);
    t->set_clock(clock, (int)(seconds * 1000));
    t->set_image(t->api, grey, width, height, 1, width);
    t->set_dpi(t->api, DPI);
    const int code = t->recognize(t->api, clock);
    t->free_clock(clock);
    const int late = ems_now() - start > seconds;
    if (code == 0 && !late)
        collect(t, text);
    t->clear(t->api);
    if (late)
        return ems_fail(err, EMS_ECANCELLED, "reading took longer than %g s",
                        seconds);
    return EMS_OK;
}
