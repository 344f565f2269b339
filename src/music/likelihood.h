/* likelihood.h - what a composed piece's tokens cost under the model that was
 * led to them: told of emotion and hits, at temperature 1, before anything
 * leads it. */
#ifndef EMS_LIKELIHOOD_H
#define EMS_LIKELIHOOD_H
#include <stdint.h>

typedef struct ems_likelihood {
    double tokens, nats; /* all, and -ln of their probabilities */
    double due;          /* of the tokens: put there by the guide */
    double rules;        /* of the nats: what the guide took. A due token's
                            all; of a sampled one -ln of the probability that
                            all tokens had that were not banned */
    double ons[2], on_nats[2]; /* note-ONs of <CHORD>s that the model called,
                                  and of those at hits */
} ems_likelihood;

/* Account for `token`, chosen by logits[EMS_VOCAB]; banned: as sampled, NULL
 * where it was due. chord: an index of `ons`, -1: no note of a chord. */
void ems_likelihood_add(ems_likelihood *l, const float *logits, int token,
                        const uint8_t *banned, int chord);
#endif
