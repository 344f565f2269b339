#include "base/csv.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

int ems_csv_fail(const ems_csv *c, const char *what, ems_error *err)
{
    return ems_fail(err, EMS_EFORMAT, "\"%s\" line %zu: %s", c->name,
                    c->line, what);
}

static int put(ems_csv *c, char ch, ems_error *err)
{
    if (c->used >= EMS_CSV_RECORD)
        return ems_csv_fail(c, "a record longer than 65536 bytes", err);
    c->record[c->used++] = ch;
    return EMS_OK;
}

static int put_text(ems_csv *c, char ch, ems_error *err)
{
    return ch ? put(c, ch, err) : ems_csv_fail(c, "a zero byte", err);
}

static int quoted(ems_csv *c, ems_error *err)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            if (c->at + 1 == c->end || c->at[1] != '"') {
                c->at++;
                return EMS_OK;
            }
            c->at++;
        }
        c->next_line += *c->at == '\n';
        if (put_text(c, *c->at, err) < 0)
            return EMS_EFORMAT;
    }
    return ems_csv_fail(c, "a quote that does not end", err);
}

/* The next field. Returns 1 when the record goes on, 0 when that was its
 * last, or an error. */
static int field(ems_csv *c, ems_error *err)
{
    if (c->fields == EMS_CSV_FIELDS)
        return ems_csv_fail(c, "more than 256 columns", err);
    c->field_at[c->fields++] = (uint32_t)c->used;
    if (c->at < c->end && *c->at == '"' && quoted(c, err) < 0)
        return EMS_EFORMAT;
    while (c->at < c->end && *c->at != ',' && *c->at != '\n') {
        if (*c->at != '\r' && put_text(c, *c->at, err) < 0)
            return EMS_EFORMAT;
        c->at++;
    }
    const int more = c->at < c->end && *c->at == ',';
    c->next_line += c->at < c->end && *c->at == '\n';
    c->at += c->at < c->end;
    return put(c, '\0', err) < 0 ? EMS_EFORMAT : more;
}

static int read_record(ems_csv *c, ems_error *err)
{
    c->used = c->fields = 0;
    c->line = c->next_line;
    int more = 1;
    while (more > 0)
        more = field(c, err);
    return more;
}

int ems_csv_open(ems_csv *c, const char *data, size_t size, const char *name,
                 ems_error *err)
{
    *c = (ems_csv){.at = data, .end = data + size, .name = name, .line = 1,
                   .next_line = 1};
    c->heading = ems_alloc(EMS_CSV_RECORD, 1);
    c->record = ems_alloc(EMS_CSV_RECORD, 1);
    if (!c->heading || !c->record) {
        ems_csv_close(c);
        return ems_out_of_memory(err);
    }
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        c->at += 3; /* the mark some spreadsheets begin with */
    const int code = read_record(c, err);
    if (code < 0) {
        ems_csv_close(c);
        return code;
    }
    memcpy(c->heading, c->record, c->used);
    memcpy(c->column_at, c->field_at, sizeof c->column_at);
    c->columns = c->fields;
    c->fields = 0;
    return EMS_OK;
}

void ems_csv_close(ems_csv *c)
{
    ems_free(c->heading);
    ems_free(c->record);
    c->heading = c->record = NULL;
}

int ems_csv_column(const ems_csv *c, const char *name)
{
    for (size_t i = 0; i < c->columns; i++)
        if (strcasecmp(c->heading + c->column_at[i], name) == 0)
            return (int)i;
    return -1;
}

int ems_csv_next(ems_csv *c, ems_error *err)
{
    while (c->at < c->end && (*c->at == '\n' || *c->at == '\r'))
        c->next_line += *c->at++ == '\n';
    if (c->at == c->end)
        return 0;
    const int code = read_record(c, err);
    return code < 0 ? code : 1;
}

const char *ems_csv_text(const ems_csv *c, int column)
{
    return column >= 0 && (size_t)column < c->fields
               ? c->record + c->field_at[column]
               : "";
}

/* A decimal number without the locale's help; 1 on success. */
static int parse_decimal(const char *s, double *out)
{
    const double sign = *s == '-' ? -1 : 1;
    s += *s == '-' || *s == '+';
    double value = 0, scale = 1;
    int digits = 0;
    for (; *s >= '0' && *s <= '9'; s++, digits++)
        value = value * 10 + (*s - '0');
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, digits++)
            value += (*s - '0') * (scale /= 10);
    int exponent = 0; /* 1e-05: some programs write small numbers so */
    if (digits && (s[0] == 'e' || s[0] == 'E') && s[1] == '-')
        for (s += 2; *s >= '0' && *s <= '9' && exponent < 100; s++)
            exponent = exponent * 10 + (*s - '0');
    for (; exponent > 0; exponent--)
        value /= 10;
    *out = sign * value;
    return digits > 0 && digits < 30 && *s == '\0';
}

int ems_csv_number(const ems_csv *c, int column, double low, double high,
                   double *out, ems_error *err)
{
    const char *text = ems_csv_text(c, column);
    *out = NAN;
    if (!*text || strcasecmp(text, "nan") == 0)
        return EMS_OK;
    double x;
    if (!parse_decimal(text, &x) || x < low || x > high)
        return ems_fail(err, EMS_EFORMAT, "\"%s\" line %zu, column \"%s\":"
                        " not a number in [%g,%g]", c->name, c->line,
                        c->heading + c->column_at[column], low, high);
    *out = x;
    return EMS_OK;
}

void ems_csv_put(FILE *f, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}
