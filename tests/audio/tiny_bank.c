#include "audio/tiny_bank.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 2400, GUARD = 46, KEY = 69 };

typedef struct writer {
    uint8_t *data;
    size_t at;
} writer;

static void put(writer *w, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        w->data[w->at++] = (uint8_t)(value >> 8 * i);
}

static void put_name(writer *w, const char *name, size_t bytes)
{
    memset(w->data + w->at, 0, bytes);
    memcpy(w->data + w->at, name, strlen(name));
    w->at += bytes;
}

/* Begins a chunk; the returned place gets its size from end_chunk(). */
static size_t begin(writer *w, const char *id)
{
    put_name(w, id, 4);
    put(w, 0, 4);
    return w->at;
}

static void end(writer *w, size_t start)
{
    const size_t now = w->at;
    w->at = start - 4;
    put(w, (uint32_t)(now - start), 4);
    w->at = now;
}

static void put_samples(writer *w)
{
    const size_t list = begin(w, "LIST");
    put_name(w, "sdta", 4);
    const size_t smpl = begin(w, "smpl");
    for (int i = 0; i < SAMPLES; i++)
        put(w, (uint32_t)(int)(20000 * cos(2 * M_PI * i / 100)), 2);
    for (int i = 0; i < GUARD + SAMPLES + GUARD; i++)
        put(w, 0, 2);
    end(w, smpl);
    end(w, list);
}

static void put_presets(writer *w, const tiny_preset *p, size_t count)
{
    size_t c = begin(w, "phdr");
    for (size_t i = 0; i <= count; i++) {
        put_name(w, i < count ? "tiny" : "EOP", 20);
        put(w, i < count ? p[i].program : 0, 2);
        put(w, i < count ? p[i].bank : 0, 2);
        put(w, (uint32_t)i, 2);
        put_name(w, "", 12);
    }
    end(w, c);
    c = begin(w, "pbag");
    for (size_t i = 0; i <= count; i++)
        put(w, (uint32_t)(2 * i), 4);
    end(w, c);
    c = begin(w, "pmod");
    put_name(w, "", 10);
    end(w, c);
    c = begin(w, "pgen");
    for (size_t i = 0; i < count; i++) {
        put(w, 43, 2); /* keyRange */
        put(w, (uint32_t)(p[i].high << 8 | p[i].low), 2);
        put(w, 41, 2); /* instrument */
        put(w, p[i].silent, 2);
    }
    put(w, 0, 4);
    end(w, c);
}

static void put_instruments(writer *w)
{
    size_t c = begin(w, "inst");
    for (unsigned i = 0; i < 3; i++) {
        put_name(w, i < 2 ? "wave" : "EOI", 20);
        put(w, i, 2);
    }
    end(w, c);
    c = begin(w, "ibag");
    for (unsigned i = 0; i < 3; i++)
        put(w, 2 * i, 4);
    end(w, c);
    c = begin(w, "imod");
    put_name(w, "", 10);
    end(w, c);
    c = begin(w, "igen");
    for (unsigned i = 0; i < 2; i++) {
        put(w, 54 | 1 << 16, 4);  /* sampleModes: loop */
        put(w, 53 | i << 16, 4);  /* sampleID */
    }
    put(w, 0, 4);
    end(w, c);
}

static void put_headers(writer *w)
{
    const size_t c = begin(w, "shdr");
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t start = i * (SAMPLES + GUARD);
        put_name(w, i ? "zeros" : "cosine", 20);
        put(w, start, 4);
        put(w, start + SAMPLES, 4);
        put(w, start + 200, 4);
        put(w, start + SAMPLES - 200, 4);
        put(w, 48000, 4);
        put(w, KEY, 2);
        put(w, 0, 2);
        put(w, 1, 2); /* mono */
    }
    put_name(w, "EOS", 46);
    end(w, c);
}

size_t tiny_bank(uint8_t *out, const tiny_preset *presets, size_t count)
{
    writer w = {out, 0};
    const size_t riff = begin(&w, "RIFF");
    put_name(&w, "sfbk", 4);
    size_t list = begin(&w, "LIST");
    put_name(&w, "INFO", 4);
    const size_t version = begin(&w, "ifil");
    put(&w, 2 | 1 << 16, 4);
    end(&w, version);
    end(&w, list);
    put_samples(&w);
    list = begin(&w, "LIST");
    put_name(&w, "pdta", 4);
    put_presets(&w, presets, count);
    put_instruments(&w);
    put_headers(&w);
    end(&w, list);
    end(&w, riff);
    return w.at;
}

size_t tiny_bank_usual(uint8_t *out)
{
    static const tiny_preset all[] = {
        {0, 0, 0, 0, 127}, {0, 25, 0, 0, 127}, {0, 32, 0, 0, 127},
        {0, 48, 0, 0, 127}, {128, 0, 0, 0, 127}};
    return tiny_bank(out, all, sizeof all / sizeof *all);
}

size_t tiny_find(const uint8_t *bank, size_t size, const char *id)
{
    for (size_t i = 0; i + 4 <= size; i++)
        if (memcmp(bank + i, id, 4) == 0)
            return i;
    return size;
}
