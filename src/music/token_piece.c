#include "music/token_piece.h"

#include "base/mem.h"
#include "music/tokens.h"

double ems_tokens_seconds(const uint16_t *tokens, size_t count)
{
    uint64_t ticks = 0;
    for (size_t i = 0; i < count; i++)
        if (ems_is_shift(tokens[i]))
            ticks += (uint64_t)ems_shift_ticks(tokens[i]);
    return (double)ticks * EMS_TICK;
}

static int decode(ems_token_decoder *d, const uint16_t *tokens, size_t count,
                  ems_error *err)
{
    uint64_t ticks = 0;
    int code = EMS_OK;
    for (size_t i = 0; i < count && code == EMS_OK; i++) {
        if (ems_is_shift(tokens[i]))
            ticks += (uint64_t)ems_shift_ticks(tokens[i]);
        const double time = (double)ticks * EMS_TICK;
        if (time >= d->piece->duration)
            break;
        code = ems_decoder_feed(d, tokens[i], time, err);
    }
    return code == EMS_OK ? ems_decoder_finish(d, err) : code;
}

ems_piece *ems_piece_from_tokens(const uint16_t *tokens, size_t count,
                                 double seconds, ems_error *err)
{
    const double all = ems_tokens_seconds(tokens, count);
    if (!(all > 0)) {
        ems_fail(err, EMS_EFORMAT, "tokens in which no time passes");
        return NULL;
    }
    ems_piece *p = ems_piece_new(all < seconds ? all : seconds, err);
    ems_token_decoder *d = ems_alloc(1, sizeof *d);
    int code = p && d ? EMS_OK : EMS_ENOMEM;
    if (p && !d)
        ems_out_of_memory(err);
    if (code == EMS_OK) {
        ems_decoder_start(d, p, 1);
        code = decode(d, tokens, count, err);
    }
    ems_free(d);
    if (code == EMS_OK)
        return p;
    ems_piece_free(p);
    return NULL;
}
