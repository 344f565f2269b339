/* PySceneDetect's list of scenes: a line of timecodes, then a table with
 * "Start Time (seconds)" among its columns. */
#include "lists/kinds.h"

#include "base/csv.h"

#include <math.h>
#include <string.h>

static const char START[] = "Start Time (seconds)";

/* The table: what follows the line "Timecode List:,...", if there is one. */
static void skip_list(const char **data, size_t *size)
{
    static const char list[] = "Timecode List:";
    const char *stop = memchr(*data, '\n', *size);
    if (*size >= sizeof list - 1 && stop &&
        memcmp(*data, list, sizeof list - 1) == 0) {
        *size -= (size_t)(stop + 1 - *data);
        *data = stop + 1;
    }
}

EMS_CUES_READER(scenes)
{
    ems_csv table;
    double time = 0;
    skip_list(&data, &size);
    int code = ems_csv_open(&table, data, size, film->name, err);
    if (code < 0)
        return code;
    const int start = ems_csv_column(&table, START);
    if (start < 0)
        code = ems_fail(err, EMS_EFORMAT, "\"%s\": no column named \"%s\"",
                        film->name, START);
    while (code == EMS_OK && (code = ems_csv_next(&table, err)) > 0) {
        code = ems_csv_number(&table, start, 0, 1e6, &time, err);
        if (code == EMS_OK && isnan(time))
            code = ems_csv_fail(&table, "a scene without a start", err);
        if (code == EMS_OK && film->rate.num) /* milliseconds there, frames here */
            time = ems_frame_seconds(film->rate,
                                     ems_seconds_frame(film->rate, time));
        if (code == EMS_OK)
            code = ems_cues_add(c, time, "", 0, err);
    }
    ems_csv_close(&table);
    return code;
}

/* hh:mm:ss.mmm and seconds with three decimals, as PySceneDetect writes; it
 * numbers frames from 1. */
static void moment(FILE *f, int64_t number, int64_t frame, ems_rate rate)
{
    const long long ms = llround(ems_frame_seconds(rate, frame) * 1000);
    fprintf(f, ",%lld,%02lld:%02lld:%02lld.%03lld,%lld.%03lld",
            (long long)number, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
            ms % 1000, ms / 1000, ms % 1000);
}

EMS_CUES_WRITER(scenes)
{
    (void)err;
    fprintf(f, "Scene Number,Start Frame,Start Timecode,%s,End Frame,"
            "End Timecode,End Time (seconds),Length (frames),"
            "Length (timecode),Length (seconds)\n", START);
    for (size_t i = 0; i <= c->count; i++) {
        const int64_t from =
            ems_seconds_frame(film->rate, ems_shot_start(c, i));
        const int64_t to =
            ems_seconds_frame(film->rate, ems_shot_end(c, i, film));
        fprintf(f, "%zu", i + 1);
        moment(f, from + 1, from, film->rate);
        moment(f, to, to, film->rate);
        moment(f, to - from, to - from, film->rate);
        fputc('\n', f);
    }
    return EMS_OK;
}
