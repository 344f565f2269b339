/* csv.h - tables from strangers (RFC 4180), one record at a time.
 *
 *     ems_csv c;
 *     if (ems_csv_open(&c, data, size, "labels.csv", err) < 0) return -1;
 *     const int file = ems_csv_column(&c, "file");
 *     while ((code = ems_csv_next(&c, err)) > 0)
 *         use(ems_csv_text(&c, file));
 *     ems_csv_close(&c); */
#ifndef EMS_CSV_H
#define EMS_CSV_H
#include "base/error.h"

#include <stdio.h>

enum { EMS_CSV_FIELDS = 256, EMS_CSV_RECORD = 1 << 16,
       EMS_CSV_BYTES = 256 << 20 };

typedef struct ems_csv {
    const char *at, *end, *name;
    size_t line;            /* of the record read last, from 1 */
    size_t next_line;
    char *heading, *record; /* fields, each with a zero byte at its end */
    size_t columns, fields, used;
    uint32_t column_at[EMS_CSV_FIELDS], field_at[EMS_CSV_FIELDS];
} ems_csv;

/* Reads the heading; `data` is borrowed. A byte order mark is passed over.
 * EMS_EFORMAT with the line, EMS_ENOMEM. Release with ems_csv_close. */
int ems_csv_open(ems_csv *c, const char *data, size_t size, const char *name,
                 ems_error *err);
void ems_csv_close(ems_csv *c); /* harmless on a zeroed one */
/* The column of that name; -1: none. */
int ems_csv_column(const ems_csv *c, const char *name);
/* 1: a record was read (empty lines are passed over), 0: no more, or an
 * error. */
int ems_csv_next(ems_csv *c, ems_error *err);
/* The record's text in a column, "" where there is none; until the next
 * record. */
const char *ems_csv_text(const ems_csv *c, int column);
/* A number in [low, high]; NaN for "", "nan" and column -1. EMS_EFORMAT. */
int ems_csv_number(const ems_csv *c, int column, double low, double high,
                   double *out, ems_error *err);
/* EMS_EFORMAT with file and line. */
int ems_csv_fail(const ems_csv *c, const char *what, ems_error *err);
/* A field as it stands in a file: quoted where it must be. */
void ems_csv_put(FILE *f, const char *text);
#endif
