#include "affect/words.h"

#include <string.h>

/* ---- Characters --------------------------------------------------------- */

typedef enum kind {
    SKIP,   /* as if it were not there */
    BLANK, BREAK, LETTER, QUOTE, HYPHEN, SLASH, SYMBOL,
} kind;

typedef struct reader {
    const unsigned char *text;
    size_t size, at;
} reader;

/* Bytes of the UTF-8 sequence that begins here; 0: there is none. */
static size_t sequence(const unsigned char *p, size_t left, uint32_t *code)
{
    static const uint32_t LEAST[5] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
                   : p[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    uint32_t c = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < LEAST[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *code = c;
    return n;
}

static uint32_t next_code(reader *r)
{
    const unsigned char *p = r->text + r->at;
    uint32_t code = p[0];
    const size_t n = p[0] < 0x80 ? 1 : sequence(p, r->size - r->at, &code);
    r->at += n ? n : 1;
    return code;
}

static uint32_t fold_case(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde) ||
        (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 32; /* ASCII, Latin-1, Greek, Cyrillic */
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c + (c & 1);
    if (c >= 0x100 && c <= 0x17f)
        return c | 1;
    return c;
}

static kind kind_of_ascii(uint32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9'))
        return LETTER;
    switch (c) {
    case '\n': case '\r': return BREAK;
    case '\'': case '`': return QUOTE;
    case '-': return HYPHEN;
    case '/': case '\\': return SLASH;
    case '_': return SKIP;
    case '@': case '#': case '*': case 0x7f: return BLANK;
    }
    return c <= ' ' ? BLANK : SYMBOL;
}

static kind kind_of_punctuation(uint32_t c) /* 0x2000 .. 0x206f */
{
    if (c <= 0x200a || c == 0x202f || c == 0x205f)
        return BLANK;
    if (c <= 0x200f || c >= 0x2060 || (c >= 0x202a && c <= 0x202e))
        return SKIP;
    if (c == 0x2028 || c == 0x2029)
        return BREAK;
    if (c == 0x2010 || c == 0x2011)
        return HYPHEN;
    return c == 0x2018 || c == 0x2019 || c == 0x201b ? QUOTE : SYMBOL;
}

static kind kind_of(uint32_t c)
{
    if (c < 0x80)
        return kind_of_ascii(c);
    if (c >= 0x2000 && c < 0x2070)
        return kind_of_punctuation(c);
    if (c < 0xc0)
        return c == 0xaa || c == 0xb5 || c == 0xba ? LETTER
             : c <= 0xa0 ? BLANK : c == 0xad ? SKIP
             : c == 0xb4 ? QUOTE : SYMBOL;
    if (c == 0xd7 || c == 0xf7 || (c >= 0x2070 && c < 0x3040))
        return SYMBOL;
    if ((c >= 0xfe00 && c < 0xfe10) || (c >= 0x1f3fb && c <= 0x1f3ff) ||
        c == 0xfeff)
        return SKIP; /* how an emoji is drawn */
    if (c < 0xd800 || (c >= 0xf900 && c < 0xfe00) ||
        (c >= 0xfe70 && c < 0xff00) || (c >= 0xff10 && c < 0xffe0) ||
        (c >= 0x10000 && c < 0x1f000) || c >= 0x20000)
        return LETTER;
    return SYMBOL;
}

/* Different signs of one meaning. */
static uint32_t plain(uint32_t c)
{
    if (c == 0x201c || c == 0x201d)
        return '"';
    return c == 0x2026 ? '.' : c >= 0x2012 && c <= 0x2015 ? '-' : c;
}

/* ---- Hashes ------------------------------------------------------------- */

static uint32_t hash_add(uint32_t h, uint32_t code)
{
    return (h ^ code) * 0x01000193u; /* FNV-1a, a letter for a byte */
}

static uint32_t hash_end(uint32_t h, uint32_t tag)
{
    h = (h ^ tag) * 0x85ebca6bu; /* MurmurHash3's finish */
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

static const uint32_t HASH_BEGIN = 0x811c9dc5u;

/* ---- Words -------------------------------------------------------------- */

typedef struct token {
    uint32_t code[EMS_WORD_LETTERS + 2]; /* room for '<' and '>' */
    size_t count, run; /* run: how often the last one stands in a row */
    kind kind;         /* LETTER, SYMBOL; BLANK: none begun */
} token;

static void token_begin(token *t, kind k)
{
    *t = (token){.code = {'<'}, .count = 1, .kind = k};
}

static void token_add(token *t, uint32_t c)
{
    t->run = t->count > 1 && t->code[t->count - 1] == c ? t->run + 1 : 1;
    if (t->count <= EMS_WORD_LETTERS && (t->run <= 3 || (c >= '0' && c <= '9')))
        t->code[t->count++] = c;
}

static size_t pieces_of_word(uint32_t *out, const uint32_t *code, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i + 3 <= n; i++) {
        uint32_t h = hash_add(hash_add(HASH_BEGIN, code[i]), code[i + 1]);
        for (size_t k = 3; k <= 5 && i + k <= n; k++) {
            h = hash_add(h, code[i + k - 1]);
            out[count++] = hash_end(h, (uint32_t)k);
        }
    }
    return count;
}

/* Signs that stand together: each of them once. */
static size_t pieces_of_signs(uint32_t *out, const uint32_t *code, size_t n)
{
    size_t count = 0;
    for (size_t i = 1; i + 1 < n; i++)
        if (i == 1 || code[i] != code[i - 1])
            out[count++] = hash_end(hash_add(HASH_BEGIN, code[i]), 2);
    return count;
}

static void token_end(token *t, ems_words *w)
{
    if (t->kind == BLANK)
        return;
    t->code[t->count++] = '>';
    size_t at = w->count ? w->end[w->count - 1] : 0;
    uint32_t h = HASH_BEGIN;
    for (size_t i = 0; i < t->count; i++)
        h = hash_add(h, t->code[i]);
    w->hash[at++] = hash_end(h, 1);
    at += t->kind == LETTER
        ? pieces_of_word(w->hash + at, t->code, t->count)
        : pieces_of_signs(w->hash + at, t->code, t->count);
    w->end[w->count++] = (uint16_t)at;
    w->letters += t->kind == LETTER;
    t->kind = BLANK;
}

/* Does a letter follow, after blanks of the same line where `blanks`? Leaves
 * the reader before that letter if so, else where it was. */
static int letter_follows(reader *r, int blanks)
{
    const size_t from = r->at;
    while (r->at < r->size) {
        const size_t before = r->at;
        const kind k = kind_of(next_code(r));
        if (k == LETTER) {
            r->at = before;
            return 1;
        }
        if (k != SKIP && !(k == BLANK && blanks))
            break;
        if (r->at - from > 8)
            break;
    }
    r->at = from;
    return 0;
}

/* The masks of GoEmotions, "[NAME]" and "[RELIGION]", are words. */
static size_t mask_length(const reader *r)
{
    static const char *const MASK[] = {"[NAME]", "[RELIGION]"};
    for (size_t i = 0; i < 2; i++) {
        const size_t n = strlen(MASK[i]);
        if (r->size - r->at >= n && memcmp(r->text + r->at, MASK[i], n) == 0)
            return n;
    }
    return 0;
}

static void read_mask(token *t, ems_words *w, reader *r, size_t n)
{
    token_end(t, w);
    if (w->count == EMS_WORDS_MAX)
        return; /* read again as the next chunk begins */
    token_begin(t, LETTER);
    for (size_t i = 0; i < n; i++)
        token_add(t, fold_case(r->text[r->at + i]));
    r->at += n;
    token_end(t, w);
}

static void add_sign(token *t, ems_words *w, uint32_t c)
{
    if (t->kind != SYMBOL) {
        token_end(t, w);
        token_begin(t, SYMBOL);
    }
    token_add(t, plain(c));
}

static void read_one(token *t, ems_words *w, reader *r)
{
    const uint32_t c = next_code(r);
    const kind k = kind_of(c);
    const int in_word = t->kind == LETTER;
    if (k == LETTER) {
        if (!in_word) {
            token_end(t, w);
            token_begin(t, LETTER);
        }
        token_add(t, fold_case(c));
    } else if (k == QUOTE && in_word && letter_follows(r, 0)) {
        token_add(t, '\'');
    } else if (k == HYPHEN && in_word && letter_follows(r, 1)) {
        return;
    } else if (k == SYMBOL || k == HYPHEN ||
               (k == SLASH && t->kind == SYMBOL)) {
        add_sign(t, w, c);
    } else if (k != SKIP) {
        token_end(t, w);
    }
}

/* A line's end, or a mark of one in a karaoke file. */
static int ends_line(const reader *r, const token *t)
{
    const unsigned char c = r->text[r->at];
    return c == '\n' || c == '\r' || (c == '\\' && t->kind != SYMBOL);
}

size_t ems_words_read(ems_words *w, const char *text, size_t size)
{
    reader r = {.text = (const unsigned char *)text, .size = size};
    token t = {.kind = BLANK};
    w->count = w->letters = 0;
    while (r.at < r.size) {
        if (ends_line(&r, &t)) {
            token_end(&t, w);
            r.at++;
            if (w->count >= EMS_CHUNK_ENOUGH)
                return r.at;
            continue;
        }
        const size_t before = r.at;
        const size_t mask = r.text[r.at] == '[' ? mask_length(&r) : 0;
        if (mask)
            read_mask(&t, w, &r, mask);
        else
            read_one(&t, w, &r);
        if (w->count == EMS_WORDS_MAX) {
            /* What ended the last word may have begun another. */
            const int again = t.kind != BLANK || (mask && r.at == before);
            return again && before > 0 ? before : r.at;
        }
    }
    token_end(&t, w);
    return r.at;
}
