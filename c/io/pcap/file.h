/*
 * file.h - capture files in the classic pcap format: LINKTYPE_ETHERNET and LINKTYPE_RAW, micro- or nanoseconds, either
 * byte order. (pcapng is told apart and refused with the remedy.)
 *
 * Nothing in a file is believed: a reader is opened only when every record of the file has been found whole.
 */
#ifndef IIP_IO_PCAP_FILE_H
#define IIP_IO_PCAP_FILE_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "../error.h"
#include "iip/core.h"

enum {
    IIP_PCAP_MAX = 1 << 18 /* bytes of a record, at most */
};

struct iip_pcap_reader {
    FILE *file;
    int swapped, nano;
    int l3;            /* packets begin at the IP header */
    uint64_t packets;  /* in the whole file */
};

struct iip_pcap_record {
    uint64_t time_us;  /* since 1970 */
    uint32_t len;      /* bytes that were kept */
};

/* NOT_FOUND, ACCESS; INVAL with what is wrong and where. */
int iip_pcap_open(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err);
/* The next record, its bytes in `to` (IIP_PCAP_MAX of them): 1, or 0 at the end. */
int iip_pcap_read(struct iip_pcap_reader *r, struct iip_pcap_record *rec, uint8_t *to);
void iip_pcap_close(struct iip_pcap_reader *r);

/* A writer may be used by several threads: each call writes whole records. */
struct iip_pcap_writer {
    pthread_mutex_t lock;
    FILE *file;
    int dirty;
    int failed; /* the disk is full or the like: what follows is not written, traffic goes on */
};

int iip_pcap_create(struct iip_pcap_writer *w, const char *path, int l3, struct iip_port_err *err);
/* The bytes of one record, header first, appended to `to`; returns how many. `to` has room for 16 + len. */
uint32_t iip_pcap_format(uint8_t *to, uint64_t time_us, uint32_t len);
void iip_pcap_write(struct iip_pcap_writer *w, const uint8_t *records, size_t len);
/* Hands what was written to the system, so that it is in the file even if this process is killed. */
void iip_pcap_flush(struct iip_pcap_writer *w);
void iip_pcap_finish(struct iip_pcap_writer *w);

/*
 * One packet as a record, with complete checksums: offloads leave that to the device (transmit), or the wire never
 * needed them (receive), but who reads a capture wants to see what would have been on a wire. Returns bytes written;
 * `to` has room for 16 + IIP_PCAP_MAX.
 */
uint32_t iip_pcap_packet(uint8_t *to, const struct iip_pkt *pkt, uint64_t time_us, int l3);

/* Microseconds since 1970. */
uint64_t iip_pcap_wall_us(void);

#endif
