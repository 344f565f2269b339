/* plan_names.h - the words of plan.json. */
#ifndef EMS_PLAN_NAMES_H
#define EMS_PLAN_NAMES_H
#include "music/plan.h"

enum { EMS_CUT_KINDS = EMS_FADE_OUT + 1, EMS_SYNCS = EMS_SYNC_GUIDED + 1,
       EMS_KEY_TEXT = 16 };
extern const char *const ems_cut_kind_names[EMS_CUT_KINDS];
extern const char *const ems_sync_names[EMS_SYNCS];
extern const char *const ems_family_words[EMS_FAMILIES]; /* "bass", ... */

/* "C# minor" and back; -1: no such key. */
void ems_key_text(char out[EMS_KEY_TEXT], int tonic, int minor);
int ems_key_parse(const char *text, int *tonic, int *minor);
#endif
