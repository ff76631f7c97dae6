/*
 * iip/types.h - the fixed-width types and the few compiler facts that the core needs.
 *
 * The core includes no header but its own, so it takes its types from the compiler. A compiler that does not say
 * what it has defines IIP_HOST_TYPES and supplies the typedefs below itself; the asserts at the end check them.
 */
#ifndef IIP_TYPES_H
#define IIP_TYPES_H

#ifndef IIP_HOST_TYPES
typedef unsigned char iip_u8;
typedef unsigned short iip_u16;
typedef unsigned int iip_u32;
typedef signed int iip_s32;
#if defined(__SIZEOF_LONG__) && __SIZEOF_LONG__ == 8
typedef unsigned long iip_u64;
typedef signed long iip_s64;
#else
__extension__ typedef unsigned long long iip_u64;
__extension__ typedef signed long long iip_s64;
#endif
typedef __SIZE_TYPE__ iip_size;
typedef __UINTPTR_TYPE__ iip_uptr;
#endif

typedef char iip_assert_u8[sizeof(iip_u8) == 1 ? 1 : -1];
typedef char iip_assert_u16[sizeof(iip_u16) == 2 ? 1 : -1];
typedef char iip_assert_u32[sizeof(iip_u32) == 4 ? 1 : -1];
typedef char iip_assert_u64[sizeof(iip_u64) == 8 ? 1 : -1];
typedef char iip_assert_uptr[sizeof(iip_uptr) == sizeof(void *) ? 1 : -1];

/* C89 has no 64-bit constants: they are built from halves. */
#define IIP_U64(high, low) (((iip_u64)(high) << 32) | (iip_u64)(low))

/* A time that never comes, as an answer to "when must I call again?". */
#define IIP_NEVER IIP_U64(0xffffffffU, 0xffffffffU)

/* Functions of the public core interface; the amalgamation may redefine it (e.g. to static). */
#ifndef IIP_API
#define IIP_API
#endif

/* Functions shared between the core's own files: static in the amalgamation, hidden elsewhere. */
#ifndef IIP_LOCAL
#if defined(__GNUC__)
#define IIP_LOCAL __attribute__((visibility("hidden")))
#else
#define IIP_LOCAL
#endif
#endif

#if defined(__GNUC__)
#define IIP_INLINE static __inline__
#define IIP_MERGED static __inline__ __attribute__((always_inline)) /* in each caller, whatever its size: the hot paths */
#define IIP_APART __attribute__((noinline))                         /* a longer way: who goes the short one shall not pay for it */
#define IIP_COLD __attribute__((cold, noinline))                    /* the same, and rarely gone */
#define IIP_LIKELY(x) __builtin_expect(!!(x), 1)
#define IIP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define IIP_PREFETCH(p) __builtin_prefetch(p)
#else
#define IIP_INLINE static
#define IIP_MERGED static
#define IIP_APART
#define IIP_COLD
#define IIP_LIKELY(x) (x)
#define IIP_UNLIKELY(x) (x)
#define IIP_PREFETCH(p) ((void)(p))
#endif

#endif
