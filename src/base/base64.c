#include "base/base64.h"

void ems_base64_write(FILE *out, const uint8_t *data, size_t size)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
                                 "nopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned long x = (unsigned long)data[i] << 16 |
                                (left > 1 ? (unsigned long)data[i + 1] << 8
                                          : 0) |
                                (left > 2 ? data[i + 2] : 0);
        fputc(DIGITS[x >> 18], out);
        fputc(DIGITS[x >> 12 & 63], out);
        fputc(left > 1 ? DIGITS[x >> 6 & 63] : '=', out);
        fputc(left > 2 ? DIGITS[x & 63] : '=', out);
    }
}
