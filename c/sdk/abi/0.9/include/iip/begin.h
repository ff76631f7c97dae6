/*
 * iip/begin.h - opens the declarations of <iip/iip.h>: C linkage, and visible although the rest of libiip is hidden.
 *
 * These few lines stand in files of their own so that <iip/iip.h> without its lines that start with # is plain C.
 * No include guard: it is included once for each end.h.
 */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif
