/* token_piece.h - a stretch of a data set's tokens as a piece, so that real
 * music is measured by the same code as composed music. */
#ifndef EMS_TOKEN_PIECE_H
#define EMS_TOKEN_PIECE_H
#include "music/dataset.h"
#include "music/piece.h"

/* The first `seconds` (INFINITY: all) of these tokens. Bars are where <BAR>
 * tokens are, of four beats each. NULL: EMS_ENOMEM, or EMS_EFORMAT when no
 * time passes in them. */
ems_piece *ems_piece_from_tokens(const uint16_t *tokens, size_t count,
                                 double seconds, ems_error *err);
/* Seconds that pass in `count` tokens. */
double ems_tokens_seconds(const uint16_t *tokens, size_t count);
#endif
