#include "emotion/page.h"

#include <math.h>

/* Length of the well-formed character at p (XML's Char), 0: none. */
static int character(const unsigned char *p)
{
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f;
    const int n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    unsigned long code = p[0] & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    const unsigned long least = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
    const int odd = (code >= 0xd800 && code <= 0xdfff) ||
                    (code & 0xfffe) == 0xfffe || code > 0x10ffff ||
                    (code >= 0x80 && code < 0xa0) ||
                    (code >= 0x202a && code <= 0x202e) || /* turns around */
                    (code >= 0x2066 && code <= 0x2069);
    return code < least || odd ? 0 : n;
}

void ems_page_text(FILE *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        const int n = character(p);
        switch (*p) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default:
            if (n)
                fwrite(p, (size_t)n, 1, out);
            else
                fputc('?', out);
        }
        p += n ? n : 1;
    }
}

void ems_page_number(FILE *out, double x, int digits)
{
    static const double SCALE[] = {1, 10, 100, 1000};
    if (!isfinite(x)) {
        fputs("\xe2\x80\x93", out);
        return;
    }
    const long long v = llround(fabs(x) * SCALE[digits]);
    const long long unit = (long long)SCALE[digits];
    fprintf(out, "%s%lld", x < 0 && v ? "-" : "", v / unit);
    if (digits)
        fprintf(out, ".%0*lld", digits, v % unit);
}

void ems_page_time(FILE *out, double seconds)
{
    const long long tenths = llround(fmax(seconds, 0) * 10);
    const long long s = tenths >= 36000 ? llround(seconds) : tenths / 10;
    if (s >= 3600)
        fprintf(out, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        fprintf(out, "%lld:%02lld.%lld", s / 60, s % 60, tenths % 10);
}
