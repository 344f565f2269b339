#include "base/sha256.h"

#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void compress(uint32_t h[8], const uint8_t *p)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        const uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
               w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    uint32_t v[8];
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        const uint32_t s1 =
            rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        const uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t t1 = v[7] + s1 + choose + K[i] + w[i];
        const uint32_t s0 =
            rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        const uint32_t majority =
            (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

#ifdef __x86_64__
/* The same with the processor's SHA extensions: the state as ABEF and CDGH,
 * four words of the message at a time (Intel, "SHA Extensions", 2013). */
__attribute__((target("sha,sse4.1"))) static void
compress_fast(uint32_t h[8], const uint8_t *p)
{
    const __m128i big = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7,
                                     0, 1, 2, 3);
    const __m128i low = _mm_shuffle_epi32(
        _mm_loadu_si128((const void *)h), 0xb1);
    const __m128i high = _mm_shuffle_epi32(
        _mm_loadu_si128((const void *)(h + 4)), 0x1b);
    const __m128i abef = _mm_alignr_epi8(low, high, 8);
    const __m128i cdgh = _mm_blend_epi16(high, low, 0xf0);
    __m128i a = abef, c = cdgh, m[4] = {abef, abef, abef, abef};
    for (int g = 0; g < 16; g++) {
        __m128i *w = &m[g & 3];
        const __m128i before = m[(g + 3) & 3];
        if (g < 4)
            *w = _mm_shuffle_epi8(
                _mm_loadu_si128((const void *)(p + 16 * g)), big);
        else
            *w = _mm_sha256msg2_epu32(
                _mm_add_epi32(_mm_sha256msg1_epu32(*w, m[(g + 1) & 3]),
                              _mm_alignr_epi8(before, m[(g + 2) & 3], 4)),
                before);
        const __m128i k = _mm_add_epi32(
            *w, _mm_loadu_si128((const void *)(K + 4 * g)));
        c = _mm_sha256rnds2_epu32(c, a, k);
        a = _mm_sha256rnds2_epu32(a, c, _mm_shuffle_epi32(k, 0x0e));
    }
    a = _mm_shuffle_epi32(_mm_add_epi32(a, abef), 0x1b);
    c = _mm_shuffle_epi32(_mm_add_epi32(c, cdgh), 0xb1);
    _mm_storeu_si128((void *)h, _mm_blend_epi16(a, c, 0xf0));
    _mm_storeu_si128((void *)(h + 4), _mm_alignr_epi8(c, a, 8));
}

static int has_extensions(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1 &&
           __get_cpuid(1, &a, &b, &c, &d) && c >> 19 & 1;
}
#else
static int has_extensions(void)
{
    return 0;
}
#define compress_fast compress
#endif

static void step(ems_sha256 *s, const uint8_t *block)
{
    (s->fast ? compress_fast : compress)(s->h, block);
}

void ems_sha256_begin(ems_sha256 *s)
{
    *s = (ems_sha256){.fast = has_extensions(),
                      .h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void ems_sha256_add(ems_sha256 *s, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t used = s->length % 64;
    s->length += size;
    while (size > 0) {
        if (used == 0 && size >= 64) { /* straight from the caller */
            step(s, p);
            p += 64;
            size -= 64;
            continue;
        }
        const size_t n = size < 64 - used ? size : 64 - used;
        memcpy(s->block + used, p, n);
        used += n;
        p += n;
        size -= n;
        if (used == 64) {
            step(s, s->block);
            used = 0;
        }
    }
}

void ems_sha256_end(ems_sha256 *s, uint8_t digest[32])
{
    const uint64_t bits = s->length * 8;
    const uint8_t one = 0x80, zero = 0;
    ems_sha256_add(s, &one, 1);
    while (s->length % 64 != 56)
        ems_sha256_add(s, &zero, 1);
    uint8_t tail[8];
    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    ems_sha256_add(s, tail, 8);
    for (int i = 0; i < 32; i++)
        digest[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void ems_sha256_hex(const void *data, size_t size, char out[65])
{
    ems_sha256 s;
    uint8_t digest[32];
    ems_sha256_begin(&s);
    ems_sha256_add(&s, data, size);
    ems_sha256_end(&s, digest);
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
