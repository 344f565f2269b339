/* tesseract.h - the words in a picture, by Tesseract (Debian: libtesseract5,
 * tesseract-ocr-eng), whose C API is opened at run time. One thread at a
 * time. */
#ifndef EMS_TESSERACT_H
#define EMS_TESSERACT_H
#include "base/error.h"

typedef struct ems_tesseract ems_tesseract;

enum { EMS_TESSERACT_TEXT = 240 }; /* bytes, with the 0 */

/* The library is $EMSYNC_TESSERACT or the system's; its English is looked for
 * in $TESSDATA_PREFIX and where systems keep it. NULL: EMS_EUNSUPPORTED, one
 * of them is not there. */
ems_tesseract *ems_tesseract_open(ems_error *err);
/* Which library and language, as a line: what is read depends on it. */
const char *ems_tesseract_name(const ems_tesseract *t);
/* Words that it is sure of, with blanks between, as UTF-8; "": none. `grey`
 * has `height` rows of `width` bytes, 3 to 8192 each. It stops after
 * `seconds`. EMS_ECANCELLED: it did. */
int ems_tesseract_read(ems_tesseract *t, const uint8_t *grey, int width,
                       int height, double seconds,
                       char text[EMS_TESSERACT_TEXT], ems_error *err);
void ems_tesseract_close(ems_tesseract *t);
#endif
