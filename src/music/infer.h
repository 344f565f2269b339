/* infer.h - running the music transformer with a key/value cache.
 *
 * Positions: 0 valence, 1 arousal, 2 the instrument-count token, then song
 * tokens; at most context_len. Beside every token goes the time in seconds
 * from the cursor after it to the next boundary (docs/MODEL.md 2). */
#ifndef EMS_INFER_H
#define EMS_INFER_H
#include "base/pool.h"
#include "music/params.h"

typedef struct ems_net ems_net; /* packed weights; immutable, shared */

/* Copies what it needs of `p`. */
ems_net *ems_net_new(const ems_params *p, ems_precision precision,
                     ems_error *err);
/* From a safetensors file. */
ems_net *ems_net_open(const char *path, ems_precision precision,
                      ems_error *err);
const ems_model_shape *ems_net_shape(const ems_net *net);
/* Bytes of weights that one token needs. */
size_t ems_net_bytes(const ems_net *net);
void ems_net_free(ems_net *net);

typedef struct ems_session ems_session; /* one piece in the making */

/* `pool` may be NULL; both outlive the session. */
ems_session *ems_session_new(const ems_net *net, ems_pool *pool,
                             ems_error *err);
/* Forget everything, then read the conditions (NaN: unknown) and count >= 1
 * tokens with their seconds, by matrix products. EMS_EINVAL if they do not
 * fit or a token does not exist. */
int ems_session_fill(ems_session *s, float valence, float arousal,
                     const uint16_t *tokens, const float *seconds,
                     size_t count, ems_error *err);
/* One more token. The same bits as if it had been part of the fill. */
int ems_session_append(ems_session *s, int token, float seconds,
                       ems_error *err);
/* One more token for each of n >= 1 sessions of one net, side by side: the
 * weights are read once for all. Each gets the bits that ems_session_append
 * would have given it. On failure no session has changed. The first one's
 * pool does the work. */
int ems_sessions_append(ems_session *const *s, const int *token,
                        const float *seconds, size_t n, ems_error *err);
/* Other conditions from here on: what has been read keeps what it took from
 * the old ones, what follows is told of the new. Takes the time of two tokens;
 * logits stay as they were. EMS_EINVAL before the first fill. */
int ems_session_renew(ems_session *s, float valence, float arousal,
                      float seconds, ems_error *err);
/* Forget all but the first `length` >= 1 positions (no more than there are);
 * logits are as they were. */
void ems_session_rewind(ems_session *s, int length);
/* vocab_size logits after the last token; valid until the next call. */
const float *ems_session_logits(const ems_session *s);
/* Positions taken, the two conditions included. */
int ems_session_length(const ems_session *s);
void ems_session_free(ems_session *s);
#endif
