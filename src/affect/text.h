/* text.h - which emotions a text tells: 28 labels of GoEmotions (Demszky et
 * al., ACL 2020) and Ekman's six with "neutral", from a small network over
 * words and their pieces. An ems_text is read-only: share it.
 *
 *     ems_text *t = ems_text_open(NULL, &err);
 *     float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL];
 *     ems_text_rate(t, line, strlen(line), ekman, full);
 *
 * ems_text_open, _rate and _free are part of emsync.h. */
#ifndef EMS_TEXT_H
#define EMS_TEXT_H
#include "base/error.h"

/* "anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral": first
 * Ekman's in the order of EMS_ANGER.., then neutral. (The published CSV files
 * of lyrics have "neutral" between "joy" and "sadness".) */
extern const char *const ems_text_ekman_names[EMS_TEXT_EKMAN];
/* "admiration" .. "surprise", all alphabetical, "neutral" among them: the
 * columns of the published CSV files. */
extern const char *const ems_text_full_names[EMS_TEXT_FULL];
#endif
