/* registry.h - where experts live on this machine. */
#ifndef EMS_REGISTRY_H
#define EMS_REGISTRY_H
#include "base/error.h"

typedef struct ems_expert_place {
    char *name;   /* of the folder, which must be the expert's */
    char *folder; /* with manifest.json in it */
} ems_expert_place;

typedef struct ems_registry {
    char *roots[4]; /* searched in this order, NULL after the last */
    size_t count;
    ems_expert_place *places; /* by name; of two with one name the first */
} ems_registry;

/* $EMSYNC_EXPERTS alone if it is set (empty: nowhere); else the user's data
 * folder ($XDG_DATA_HOME/emsync/experts) and the place of installation. A
 * folder that is not there has no experts. */
int ems_registry_open(ems_registry *r, ems_error *err);
void ems_registry_clear(ems_registry *r);
/* The folder that new experts go to (it may not be there yet): the first
 * root. New memory; NULL: out of memory, or no place is known. */
char *ems_registry_home(ems_error *err);
/* The user's folder of this kind: $variable/emsync/name, or
 * $HOME/otherwise/emsync/name. NULL: out of memory, or neither is set. */
char *ems_user_folder(const char *variable, const char *otherwise,
                      const char *name);
#endif
