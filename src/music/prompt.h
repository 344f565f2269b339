/* prompt.h - notes that are there already, as tokens for the model to go on
 * from. */
#ifndef EMS_PROMPT_H
#define EMS_PROMPT_H
#include "music/clock.h"
#include "music/tokens.h"

/* What of `piece` begins before the bar line `until` (seconds of the film),
 * in score time, with the clock's bars; what still sounds then ends. Time has
 * passed to `until` after the last token. Release with ems_tokens_clear. */
int ems_prompt_tokens(ems_tokens *t, const ems_piece *piece,
                      const ems_clock *clock, double until, ems_error *err);
#endif
