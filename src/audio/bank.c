#include "audio/bank.h"

#include "audio/audio.h"
#include "base/mem.h"
#include "base/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Indices in a SoundFont are 16 bits wide, so no honest table is longer than
 * MAX_RECORDS. FluidSynth appends presets, instruments and samples to linked
 * lists it walks each time (MAX_LISTED), and multiplies a preset's zones with
 * its instruments' (MAX_ZONES; FluidR3 has 18,082, at most 738 in a preset). */
enum {
    MAX_RECORDS = 65536,
    MAX_LISTED = 32768,
    MAX_ZONES = 1 << 19,
    MAX_PRESET_ZONES = 1 << 14,
    GEN_INSTRUMENT = 41, /* generator numbers: SoundFont 2.04, 8.1.2 */
    GEN_SAMPLE = 53,
    TYPE_VORBIS = 0x10,
    TYPE_ROM = 0x8000,
};
#define MAX_BANK 0x7fffffffu /* FluidSynth counts bytes in int */

enum { PHDR, PBAG, PMOD, PGEN, INST, IBAG, IMOD, IGEN, SHDR, TABLES };

static const struct {
    char id[5];
    uint8_t record; /* bytes */
    uint32_t most;
} layout[TABLES] = {
    {"phdr", 38, MAX_LISTED}, {"pbag", 4, MAX_RECORDS},
    {"pmod", 10, MAX_RECORDS}, {"pgen", 4, MAX_RECORDS},
    {"inst", 22, MAX_LISTED}, {"ibag", 4, MAX_RECORDS},
    {"imod", 10, MAX_RECORDS}, {"igen", 4, MAX_RECORDS},
    {"shdr", 46, MAX_LISTED},
};

typedef struct table {
    uint8_t *data;
    uint64_t at;  /* byte offset in the file */
    size_t count; /* records, the terminal one included */
} table;

typedef struct check {
    const ems_source *source;
    const char *name;
    ems_error *err;
    uint64_t samples; /* bytes of the smpl chunk */
    table table[TABLES];
} check;

typedef struct chunk {
    uint8_t id[4];
    uint32_t size;
    uint64_t at; /* of the content */
} chunk;

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)u16(p + 2) << 16 | u16(p);
}

int ems_source_read(const ems_source *s, uint64_t at, void *out, size_t n)
{
    if (at > s->size || n > s->size - at)
        return -1;
    if (s->data) {
        memcpy(out, s->data + at, n);
        return 0;
    }
    char *to = out;
    while (n > 0) {
        const ssize_t got = pread(s->fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* The chunk at `at`, which must end at or before `end`. */
static int chunk_read(const check *c, chunk *k, uint64_t at, uint64_t end)
{
    uint8_t head[8];
    if (at > end || end - at < 8 || ems_source_read(c->source, at, head, 8))
        return ems_fail(c->err, EMS_EFORMAT,
                        "soundfont \"%s\": byte %llu: a chunk is cut off",
                        c->name, (unsigned long long)at);
    memcpy(k->id, head, 4);
    k->size = u32(head + 4);
    k->at = at + 8;
    if (k->size > end - k->at)
        return ems_fail(c->err, EMS_EFORMAT,
                        "soundfont \"%s\": byte %llu: a chunk of %u bytes "
                        "where %llu are left",
                        c->name, (unsigned long long)at, k->size,
                        (unsigned long long)(end - k->at));
    return EMS_OK;
}

static int wrong(const check *c, uint64_t at, const char *what)
{
    return ems_fail(c->err, EMS_EFORMAT, "soundfont \"%s\": byte %llu: %s",
                    c->name, (unsigned long long)at, what);
}

/* A LIST of the given form at `at`; k->at and k->size then span its chunks. */
static int list_read(const check *c, chunk *k, uint64_t at, const char *form)
{
    int code = chunk_read(c, k, at, c->source->size);
    if (code < 0)
        return code;
    uint8_t id[4];
    if (memcmp(k->id, "LIST", 4) != 0 || k->size < 4 ||
        ems_source_read(c->source, k->at, id, 4) || memcmp(id, form, 4) != 0) {
        char what[48];
        snprintf(what, sizeof what, "no LIST chunk of form %s", form);
        return wrong(c, at, what);
    }
    k->at += 4;
    k->size -= 4;
    return EMS_OK;
}

static int check_info(const check *c, const chunk *list)
{
    const uint64_t end = list->at + list->size;
    int version = 0;
    for (uint64_t at = list->at; at < end;) {
        chunk k;
        const int code = chunk_read(c, &k, at, end);
        if (code < 0)
            return code;
        if (k.size > 65536)
            return wrong(c, at, "a text of more than 65536 bytes");
        uint8_t v[4];
        if (memcmp(k.id, "ifil", 4) == 0) {
            if (k.size != 4 || ems_source_read(c->source, k.at, v, 4))
                return wrong(c, at, "a version that is not 4 bytes long");
            version = u16(v);
        }
        at = k.at + k.size;
    }
    if (version != 2 && version != 3)
        return wrong(c, list->at, "not SoundFont version 2 or 3");
    return EMS_OK;
}

static int check_samples(check *c, const chunk *list)
{
    chunk k;
    const int code = chunk_read(c, &k, list->at, list->at + list->size);
    if (code < 0)
        return code;
    if (memcmp(k.id, "smpl", 4) != 0)
        return wrong(c, list->at, "no smpl chunk");
    c->samples = k.size;
    return EMS_OK;
}

static int table_read(check *c, int i, const chunk *k)
{
    const size_t record = layout[i].record;
    char what[80];
    if (memcmp(k->id, layout[i].id, 4) != 0)
        snprintf(what, sizeof what, "no %.4s chunk", layout[i].id);
    else if (k->size % record != 0 || k->size < record)
        snprintf(what, sizeof what, "%.4s has %u bytes, not records of %zu",
                 layout[i].id, k->size, record);
    else if (k->size / record > layout[i].most)
        return ems_fail(c->err, EMS_EUNSUPPORTED,
                        "soundfont \"%s\": byte %llu: %zu %s records, more "
                        "than the %u allowed", c->name,
                        (unsigned long long)k->at, k->size / record,
                        layout[i].id, layout[i].most);
    else {
        c->table[i].data = ems_alloc(k->size, 1);
        if (!c->table[i].data)
            return ems_out_of_memory(c->err);
        c->table[i].at = k->at;
        c->table[i].count = k->size / record;
        if (!ems_source_read(c->source, k->at, c->table[i].data, k->size))
            return EMS_OK;
        snprintf(what, sizeof what, "cannot read %.4s", layout[i].id);
    }
    return wrong(c, k->at - 8, what);
}

static int read_tables(check *c, const chunk *list)
{
    const uint64_t end = list->at + list->size;
    uint64_t at = list->at;
    for (int i = 0; i < TABLES; i++) {
        chunk k;
        int code = chunk_read(c, &k, at, end);
        if (code == EMS_OK)
            code = table_read(c, i, &k);
        if (code < 0)
            return code;
        at = k.at + k.size;
    }
    return EMS_OK;
}

static const uint8_t *record_at(const check *c, int t, size_t i)
{
    return c->table[t].data + i * layout[t].record;
}

/* The 16-bit indices at `field` of table t must ascend and stay inside
 * table `into`, whose last record only marks the end. */
static int check_indices(const check *c, int t, size_t field, int into)
{
    unsigned last = 0;
    for (size_t i = 0; i < c->table[t].count; i++) {
        const unsigned index = u16(record_at(c, t, i) + field);
        if (index < last || index >= c->table[into].count) {
            char what[96];
            snprintf(what, sizeof what, "%s record %zu points to %s record %u",
                     layout[t].id, i, layout[into].id, index);
            return wrong(c, c->table[t].at + i * layout[t].record, what);
        }
        last = index;
    }
    return EMS_OK;
}

/* Every generator `number` of table t names a record of table `into`. */
static int check_links(const check *c, int t, int number, int into)
{
    for (size_t i = 0; i + 1 < c->table[t].count; i++) {
        const uint8_t *g = record_at(c, t, i);
        if (u16(g) == number && u16(g + 2) + 1u >= c->table[into].count) {
            char what[96];
            snprintf(what, sizeof what, "%s record %zu names %s record %u",
                     layout[t].id, i, layout[into].id, u16(g + 2));
            return wrong(c, c->table[t].at + i * layout[t].record, what);
        }
    }
    return EMS_OK;
}

static size_t zones_of_generator(const check *c, const uint8_t *g)
{
    if (u16(g) != GEN_INSTRUMENT)
        return 0;
    const uint8_t *inst = record_at(c, INST, u16(g + 2));
    return (size_t)u16(inst + layout[INST].record + 20) - u16(inst + 20);
}

static size_t zones_of_preset(const check *c, size_t preset)
{
    const uint8_t *p = record_at(c, PHDR, preset);
    const size_t first = u16(record_at(c, PBAG, u16(p + 24)));
    const size_t end = u16(record_at(c, PBAG, u16(p + 38 + 24)));
    size_t zones = 0;
    for (size_t i = first; i < end; i++)
        zones += zones_of_generator(c, record_at(c, PGEN, i));
    return zones;
}

static int check_zones(const check *c)
{
    size_t total = 0;
    for (size_t i = 0; i + 1 < c->table[PHDR].count; i++) {
        const size_t zones = zones_of_preset(c, i);
        total += zones;
        if (zones > MAX_PRESET_ZONES || total > MAX_ZONES)
            return ems_fail(c->err, EMS_EUNSUPPORTED,
                            "soundfont \"%s\": preset %zu expands to %zu "
                            "zones, more than can be loaded safely",
                            c->name, i, zones);
    }
    return EMS_OK;
}

/* FluidSynth leaves out samples that lie outside the file; a bank of only
 * such samples has nothing to play. */
static int check_sound(const check *c)
{
    for (size_t i = 0; i + 1 < c->table[SHDR].count; i++) {
        const uint8_t *s = record_at(c, SHDR, i);
        const unsigned type = u16(s + 44);
        const uint64_t unit = type & TYPE_VORBIS ? 1 : 2;
        if (!(type & TYPE_ROM) && u32(s + 20) < u32(s + 24) &&
            u32(s + 24) * unit <= c->samples)
            return EMS_OK;
    }
    return wrong(c, c->table[SHDR].at, "no sample lies inside the file");
}

static int check_tables(check *c)
{
    static const struct {
        uint8_t table, field, into;
    } index[] = {{PHDR, 24, PBAG}, {PBAG, 0, PGEN}, {PBAG, 2, PMOD},
                 {INST, 20, IBAG}, {IBAG, 0, IGEN}, {IBAG, 2, IMOD}};
    int code = EMS_OK;
    for (size_t i = 0; i < sizeof index / sizeof *index && code == EMS_OK; i++)
        code = check_indices(c, index[i].table, index[i].field, index[i].into);
    if (code == EMS_OK)
        code = check_links(c, PGEN, GEN_INSTRUMENT, INST);
    if (code == EMS_OK)
        code = check_links(c, IGEN, GEN_SAMPLE, SHDR);
    if (code == EMS_OK)
        code = check_zones(c);
    return code == EMS_OK ? check_sound(c) : code;
}

static int check_riff(const check *c)
{
    uint8_t head[12];
    const uint64_t size = c->source->size;
    if (size < 12 || ems_source_read(c->source, 0, head, 12) ||
        memcmp(head, "RIFF", 4) != 0)
        return ems_fail(c->err, EMS_EFORMAT, "\"%s\" is not a soundfont",
                        c->name);
    if (memcmp(head + 8, "sfbk", 4) != 0)
        return ems_fail(c->err, EMS_EFORMAT,
                        "\"%s\" is a RIFF file of another kind, not a "
                        "SoundFont 2 or 3", c->name);
    if ((uint64_t)u32(head + 4) + 8 != size)
        return ems_fail(c->err, EMS_EFORMAT,
                        "soundfont \"%s\" says it has %llu bytes and has "
                        "%llu: it is truncated or damaged", c->name,
                        (unsigned long long)u32(head + 4) + 8,
                        (unsigned long long)size);
    if (size > MAX_BANK)
        return ems_fail(c->err, EMS_EUNSUPPORTED,
                        "soundfont \"%s\" is larger than 2 GiB", c->name);
    return EMS_OK;
}

static int check_lists(check *c)
{
    chunk info, sdta, pdta;
    int code = list_read(c, &info, 12, "INFO");
    if (code == EMS_OK)
        code = check_info(c, &info);
    if (code == EMS_OK)
        code = list_read(c, &sdta, info.at + info.size, "sdta");
    if (code == EMS_OK)
        code = check_samples(c, &sdta);
    if (code == EMS_OK)
        code = list_read(c, &pdta, sdta.at + sdta.size, "pdta");
    return code == EMS_OK ? read_tables(c, &pdta) : code;
}

int ems_bank_check(const ems_source *s, const char *name, ems_error *err)
{
    check c = {.source = s, .name = name, .err = err};
    int code = check_riff(&c);
    if (code == EMS_OK)
        code = check_lists(&c);
    if (code == EMS_OK)
        code = check_tables(&c);
    for (int i = 0; i < TABLES; i++)
        ems_free(c.table[i].data);
    return code;
}

int ems_bank_open(ems_bank *b, const char *path, ems_error *err)
{
    *b = (ems_bank){.path = path};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ems_fail_errno(err, EMS_EIO, "cannot open soundfont \"%s\"",
                              path);
    b->open = 1;
    b->source.fd = fd;
    struct stat st;
    int code = EMS_OK;
    if (fstat(fd, &st) < 0)
        code = ems_fail_errno(err, EMS_EIO, "cannot read soundfont \"%s\"",
                              path);
    else if (!S_ISREG(st.st_mode))
        code = ems_fail(err, EMS_EFORMAT,
                        "soundfont \"%s\" is not a regular file", path);
    else {
        b->source.size = (uint64_t)st.st_size;
        code = ems_bank_check(&b->source, path, err);
    }
    if (code < 0)
        ems_bank_close(b);
    return code;
}

void ems_bank_close(ems_bank *b)
{
    if (b->open)
        close(b->source.fd);
    *b = (ems_bank){0};
}

/* Where distributions put General MIDI banks, best first. */
static const char *const usual[] = {
    "/usr/share/sounds/sf2/FluidR3_GM.sf2", /* Debian fluid-soundfont-gm */
    "/usr/share/soundfonts/FluidR3_GM.sf2", /* Arch, Fedora */
    "/usr/local/share/soundfonts/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2", /* Debian's choice of the user */
    "/usr/share/sounds/sf3/default-GM.sf3",
    "/usr/share/soundfonts/default.sf2",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",   /* Debian timgm6mb-soundfont */
};

const char *ems_soundfont_find(const char *wanted, ems_error *err)
{
    const char *origin = "";
    if (!wanted || !*wanted) {
        wanted = getenv("EMSYNC_SOUNDFONT");
        origin = " (from EMSYNC_SOUNDFONT)";
    }
    if (wanted && *wanted) {
        if (access(wanted, R_OK) == 0)
            return wanted;
        ems_fail_errno(err, EMS_EIO, "cannot open soundfont \"%s\"%s", wanted,
                       origin);
        return NULL;
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (access(usual[i], R_OK) == 0)
            return usual[i];
    ems_fail(err, EMS_EIO,
             "no soundfont found: install the package fluid-soundfont-gm, or "
             "name an SF2 or SF3 file");
    return NULL;
}
