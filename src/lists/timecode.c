#include "lists/timecode.h"

#include <math.h>
#include <stdio.h>

enum { PER_TEN = 10 };

ems_rate ems_rate_of(double fps)
{
    static const int64_t film_rates[] = {24, 30, 48, 60, 120};
    const double whole = rint(fps);
    if (fabs(fps - whole) < 0.0005)
        return (ems_rate){(int64_t)whole, 1};
    for (size_t i = 0; i < sizeof film_rates / sizeof *film_rates; i++)
        if (fabs(fps - (double)film_rates[i] * 1000 / 1001) < 0.006)
            return (ems_rate){film_rates[i] * 1000, 1001};
    return (ems_rate){llrint(fps * 1000), 1000};
}

int64_t ems_rate_nominal(ems_rate r)
{
    return (r.num + r.den / 2) / r.den;
}

int ems_rate_drops(ems_rate r)
{
    return r.den == 1001 && ems_rate_nominal(r) % 30 == 0;
}

double ems_frame_seconds(ems_rate r, int64_t frame)
{
    return (double)(frame * r.den) / (double)r.num;
}

int64_t ems_seconds_frame(ems_rate r, double seconds)
{
    return llrint(seconds * (double)r.num / (double)r.den);
}

/* Numbers left out at the start of a minute. */
static int64_t dropped(ems_rate r)
{
    return ems_rate_nominal(r) / 15;
}

/* One or more digits; -1: none, or too large. */
static int64_t digits(const char **text)
{
    int64_t value = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9' && value < 100000; p++)
        value = value * 10 + (*p - '0');
    const int some = p > *text;
    *text = p;
    return some && !(*p >= '0' && *p <= '9') ? value : -1;
}

static int split(const char *text, int64_t part[4], int *drop)
{
    for (int i = 0; i < 4; i++) {
        part[i] = digits(&text);
        if (part[i] < 0)
            return -1;
        if (i < 2 && *text != ':')
            return -1;
        if (i == 2 && (*text == ';' || *text == '.'))
            *drop = 1;
        else if (i == 2 && *text != ':')
            return -1;
        text += i < 3;
    }
    return *text ? -1 : 0;
}

int ems_timecode_parse(const char *text, ems_rate r, int drop,
                       int64_t *frame, ems_error *err)
{
    int64_t part[4];
    if (split(text, part, &drop) < 0)
        return ems_fail(err, EMS_EFORMAT,
                        "\"%.24s\" is no timecode hh:mm:ss:ff", text);
    const int64_t nominal = ems_rate_nominal(r);
    if (part[0] > 99 || part[1] > 59 || part[2] > 59 || part[3] >= nominal)
        return ems_fail(err, EMS_EFORMAT, "timecode %.24s cannot be at %lld"
                        " frames a second", text, (long long)nominal);
    const int64_t minutes = part[0] * 60 + part[1];
    int64_t number = (minutes * 60 + part[2]) * nominal + part[3];
    if (drop) {
        if (!ems_rate_drops(r))
            return ems_fail(err, EMS_EFORMAT, "drop-frame timecode %.24s needs"
                            " a rate of 29.97 or 59.94", text);
        if (part[2] == 0 && part[3] < dropped(r) && part[1] % PER_TEN)
            return ems_fail(err, EMS_EFORMAT, "timecode %.24s does not exist:"
                            " drop-frame leaves it out", text);
        number -= dropped(r) * (minutes - minutes / PER_TEN);
    }
    *frame = number;
    return EMS_OK;
}

void ems_timecode_format(int64_t frame, ems_rate r, int drop,
                         char out[EMS_TIMECODE_TEXT])
{
    const int64_t nominal = ems_rate_nominal(r);
    if (drop) {
        const int64_t minute = nominal * 60 - dropped(r);
        const int64_t ten = minute * PER_TEN + dropped(r);
        const int64_t within = frame % ten;
        frame += dropped(r) * (PER_TEN - 1) * (frame / ten);
        if (within >= nominal * 60)
            frame += dropped(r) * ((within - dropped(r)) / minute);
    }
    const int64_t seconds = frame / nominal;
    snprintf(out, EMS_TIMECODE_TEXT, "%02lld:%02lld:%02lld%c%02lld",
             (long long)(seconds / 3600 % 100),
             (long long)(seconds / 60 % 60), (long long)(seconds % 60),
             drop ? ';' : ':', (long long)(frame % nominal));
}
