#include "music/names.h"

#include <stdint.h>
#include <string.h>

/* U+00C0..U+017F without their accents; two letters where one has become
 * two. */
static const char *const folded[] = {
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i",
    "i", "i", "d", "n", "o", "o", "o", "o", "o", " ", "o", "u", "u", "u",
    "u", "y", "th", "ss", "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e",
    "e", "e", "i", "i", "i", "i", "d", "n", "o", "o", "o", "o", "o", " ",
    "o", "u", "u", "u", "u", "y", "th", "y", "a", "a", "a", "a", "a", "a",
    "c", "c", "c", "c", "c", "c", "c", "c", "d", "d", "d", "d", "e", "e",
    "e", "e", "e", "e", "e", "e", "e", "e", "g", "g", "g", "g", "g", "g",
    "g", "g", "h", "h", "h", "h", "i", "i", "i", "i", "i", "i", "i", "i",
    "i", "i", "ij", "ij", "j", "j", "k", "k", "k", "l", "l", "l", "l", "l",
    "l", "l", "l", "l", "l", "n", "n", "n", "n", "n", "n", "n", "n", "n",
    "o", "o", "o", "o", "o", "o", "oe", "oe", "r", "r", "r", "r", "r", "r",
    "s", "s", "s", "s", "s", "s", "s", "s", "t", "t", "t", "t", "t", "t",
    "u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "u", "w", "w",
    "y", "y", "y", "z", "z", "z", "z", "z", "z", "s",
};
_Static_assert(sizeof folded / sizeof *folded == 0x180 - 0xc0, "a row each");

/* The next character; one byte as Latin-1 where the text is not UTF-8. */
static uint32_t next_character(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *s = *at;
    const size_t left = (size_t)(end - s);
    *at = s + 1;
    if (s[0] >= 0xc2 && s[0] < 0xe0 && left > 1 && s[1] >> 6 == 2) {
        *at = s + 2;
        return (uint32_t)(s[0] & 31) << 6 | (s[1] & 63);
    }
    if (s[0] >= 0xe0 && s[0] < 0xf0 && left > 2 && s[1] >> 6 == 2 &&
        s[2] >> 6 == 2) {
        *at = s + 3;
        return (uint32_t)(s[0] & 15) << 12 | (uint32_t)(s[1] & 63) << 6 |
               (s[2] & 63);
    }
    return s[0];
}

typedef struct plain {
    char *out;
    size_t room, length, word; /* word: where the last one begins */
    int whole, ended;
} plain;

static int is_guest(const char *word, size_t n)
{
    static const char *const words[] = {"feat", "ft", "featuring"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && memcmp(words[i], word, n) == 0)
            return 1;
    return 0;
}

/* The word is over: drop it if it says nothing, stop if a guest follows. */
static void end_word(plain *p)
{
    const size_t n = p->length - p->word;
    if (n == 0)
        return;
    if (n == 3 && memcmp(p->out + p->word, "the", 3) == 0) {
        p->length = p->word;
        return;
    }
    if (!p->whole && p->word > 0 && is_guest(p->out + p->word, n)) {
        p->length = p->word;
        p->ended = 1;
        return;
    }
    if (p->length + 1 < p->room)
        p->out[p->length++] = ' ';
    p->word = p->length;
}

static void put(plain *p, char c)
{
    if (p->length + 1 < p->room)
        p->out[p->length++] = c;
}

static void put_character(plain *p, uint32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
        put(p, (char)c);
    } else if (c >= 'A' && c <= 'Z') {
        put(p, (char)(c - 'A' + 'a'));
    } else if (c >= 0xc0 && c < 0x180) {
        const char *f = folded[c - 0xc0];
        if (*f == ' ')
            end_word(p);
        else
            for (; *f; f++)
                put(p, *f);
    } else if (c == '&') {
        end_word(p);
        put(p, 'a'), put(p, 'n'), put(p, 'd');
        end_word(p);
    } else if (c != '\'' && c != '`' && c != 0x2019) {
        end_word(p);
    }
}

size_t ems_name_plain(char *out, size_t room, const char *text, size_t length,
                      int whole)
{
    plain p = {.out = out, .room = room, .whole = whole};
    const uint8_t *at = (const uint8_t *)text, *const end = at + length;
    int depth = 0;
    while (at < end && !p.ended) {
        const uint32_t c = next_character(&at, end);
        if (!whole && (c == '(' || c == '[') && p.length > 0) {
            end_word(&p);
            depth++;
        } else if (depth && (c == ')' || c == ']')) {
            depth--;
        } else if (!depth) {
            put_character(&p, c);
        }
    }
    if (!p.ended)
        end_word(&p);
    while (p.length > 0 && out[p.length - 1] == ' ')
        p.length--;
    out[p.length] = '\0';
    return p.length;
}

int ems_name_within(const char *text, const char *part)
{
    const size_t n = strlen(part);
    for (const char *s = strstr(text, part); s; s = strstr(s + 1, part))
        if ((s == text || s[-1] == ' ') && (s[n] == '\0' || s[n] == ' '))
            return 1;
    return 0;
}
