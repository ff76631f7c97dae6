/*
 * eal.c - brings up DPDK's environment layer (EAL), once a process, when the first port is opened.
 *
 * Defaults: nothing shared with other processes, no telemetry socket, hugepages where enough are free and else
 * --no-huge, no PCI device but those that port strings name. Arguments from the environment (IIP_EAL_ARGS) and then
 * from the port string (eal=[...]) are added; one that contradicts a default replaces it.
 *
 * The EAL pins the thread that initialises it and makes its own threads children of it, so that is done on a thread
 * which then ends: the caller's affinity stays as it is, and no signal is ever delivered to a thread of DPDK.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dpdk.h"

#define ARGS_MAX 64
#define HUGE_BYTES (2UL << 20)

struct eal_args {
    char *argv[ARGS_MAX];
    int argc;
    char text[2048]; /* what argv points into */
    size_t used;
    int overflow;
};

static enum { EAL_DOWN, EAL_UP, EAL_BROKEN } eal_state;
static char eal_line[1024];  /* the arguments it was brought up with */
static char eal_asked[1024]; /* the user's part of them */

/* ---- the argument list ------------------------------------------------------------------------------------------- */

static void args_add(struct eal_args *a, const char *word, size_t len)
{
    if (a->argc >= ARGS_MAX - 1 || a->used + len + 1 > sizeof(a->text)) {
        a->overflow = 1;
        return;
    }
    a->argv[a->argc++] = memcpy(a->text + a->used, word, len);
    a->text[a->used + len] = '\0';
    a->used += len + 1;
    a->argv[a->argc] = NULL;
}

static void args_add_words(struct eal_args *a, const char *line)
{
    size_t n;

    while (line && *line) {
        line += strspn(line, " \t\n");
        n = strcspn(line, " \t\n");
        if (n)
            args_add(a, line, n);
        line += n;
    }
}

/* Did the user give one of these options (null-terminated list; "--x" also matches "--x=...", "-m" also "-m256")? */
static int args_have(const struct eal_args *user, const char *const *names)
{
    int i;

    for (; *names; names++) {
        size_t n = strlen(*names);

        for (i = 0; i < user->argc; i++) {
            const char *w = user->argv[i];

            if (strncmp(w, *names, n) == 0 && (w[n] == '\0' || w[n] == '=' || w[1] != '-'))
                return 1;
        }
    }
    return 0;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static uint64_t huge_free_bytes(void)
{
    DIR *dir = opendir("/sys/kernel/mm/hugepages");
    struct dirent *e;
    uint64_t sum = 0;
    char path[320];

    while (dir && (e = readdir(dir)) != NULL) {
        unsigned long kb = 0, n = 0;
        FILE *f;

        if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1)
            continue;
        snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages", e->d_name);
        f = fopen(path, "r");
        if (f && fscanf(f, "%lu", &n) == 1)
            sum += (uint64_t)kb * 1024U * n;
        if (f)
            fclose(f);
    }
    if (dir)
        closedir(dir);
    return sum;
}

/* Free pages may still be denied to us, by a resource group for one: only trying tells. */
static int huge_permitted(void)
{
    void *p =
        mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);

    if (p == MAP_FAILED)
        return 0;
    munmap(p, HUGE_BYTES);
    return 1;
}

/* What the pools of the first port need and as much again for the next ones, and 64 MB for the drivers. */
static uint32_t memory_mb(const struct iip_port_cfg *cfg)
{
    uint64_t frames = cfg->frames ? cfg->frames : DPDK_FRAMES;
    uint64_t bytes = cfg->frame_size ? cfg->frame_size : RTE_MBUF_DEFAULT_BUF_SIZE;
    uint64_t mbuf = bytes + 320U < 4096U ? 4096U : bytes + 320U; /* without hugepages none crosses a page */
    uint64_t mb = (cfg->queues ? cfg->queues : 1U) * frames * mbuf / (1U << 20) * 2U + 64U;

    if (mb < 256)
        return 256;
    return mb > 65536 ? 65536 : (uint32_t)mb;
}

/* ---- the defaults ------------------------------------------------------------------------------------------------ */

static unsigned first_cpu(void)
{
    cpu_set_t set;
    unsigned i;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        for (i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &set))
                return i;
    return 0;
}

static int use_hugepages(const struct eal_args *user, const struct iip_port_cfg *cfg)
{
    static const char *const without[] = {"--no-huge", NULL};
    static const char *const with[] = {"--socket-mem",  "--socket-limit", "--huge-dir",
                                       "--huge-unlink", "--legacy-mem",   NULL};

    if (args_have(user, without))
        return 0;
    return args_have(user, with) || (huge_free_bytes() >= (uint64_t)memory_mb(cfg) << 20 && huge_permitted());
}

/*
 * --in-memory does not go together with --no-huge, which shares nothing but its configuration. Hugepages are taken at
 * once and as one file: virtio and vhost pass memory to each other and know few pieces of it, and no new ones while
 * they run.
 */
static void defaults_memory(struct eal_args *a, const struct eal_args *user, const struct iip_port_cfg *cfg)
{
    static const char *const shared[] = {"--in-memory", "--no-shconf", "--proc-type", "--file-prefix", NULL};
    static const char *const without[] = {"--no-huge", NULL};
    static const char *const amount[] = {"-m", "--socket-mem", NULL};
    int huge = use_hugepages(user, cfg);
    char word[64];

    if (!args_have(user, shared))
        args_add_words(a, huge ? "--in-memory --single-file-segments" : "--no-shconf");
    if (!huge && !args_have(user, without))
        args_add_words(a, "--no-huge");
    snprintf(word, sizeof(word), "-m %u", memory_mb(cfg));
    if (!args_have(user, amount))
        args_add_words(a, word);
}

static void args_build(struct eal_args *a, const struct eal_args *user, const struct iip_port_cfg *cfg)
{
    static const char *const cores[] = {"-l", "-c", "--lcores", "-s", "-S", NULL};
    static const char *const log[] = {"--log-level", NULL};
    static const char *const pci[] = {"-a", "-b", "-w", "--allow", "--block", "--no-pci", NULL};
    char word[128];
    int i;

    args_add_words(a, "iip --no-telemetry");
    defaults_memory(a, user, cfg);
    if (!args_have(user, cores)) {
        snprintf(word, sizeof(word), "--lcores 0@%u", first_cpu());
        args_add_words(a, word);
    }
    if (!args_have(user, log))
        args_add_words(a, "--log-level=error");
    /* An allow list with nobody on it: no device is taken from anyone, and PCI ports can still be opened later. */
    if (!args_have(user, pci))
        args_add_words(a, "-a ffff:ff:1f.7");
    for (i = 0; i < user->argc; i++)
        args_add(a, user->argv[i], strlen(user->argv[i]));
}

/* ---- bringing it up ---------------------------------------------------------------------------------------------- */

struct eal_run {
    struct eal_args *args;
    int rc, error;
};

static void *eal_thread(void *arg)
{
    struct eal_run *run = arg;
    char *argv[ARGS_MAX]; /* the EAL permutes it */

    memcpy(argv, run->args->argv, sizeof(argv));
    run->rc = rte_eal_init(run->args->argc, argv);
    run->error = rte_errno;
    return NULL;
}

/* Runs rte_eal_init on a thread of its own, with all signals blocked, as its children then have them. */
static int eal_run(struct eal_args *args, int *error)
{
    struct eal_run run = {.args = args, .rc = -1, .error = EAGAIN};
    sigset_t all, old;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&thread, NULL, eal_thread, &run);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        pthread_join(thread, NULL);
    *error = rc ? rc : run.error;
    return rc ? -1 : run.rc;
}

static void eal_remember(const struct eal_args *a)
{
    size_t used = 0;
    int i;

    eal_line[0] = '\0';
    for (i = 1; i < a->argc && used < sizeof(eal_line); i++)
        used += (size_t)snprintf(eal_line + used, sizeof(eal_line) - used, "%s%s", i > 1 ? " " : "", a->argv[i]);
}

static int eal_failed(int error, char *err, size_t err_len)
{
    const char *remedy = "correct IIP_EAL_ARGS or eal=[...]; without either there is nothing to correct";

    if (error == EALREADY)
        remedy = "an earlier attempt in this process failed half-way: restart the process";
    else if (error == EACCES || error == EPERM)
        remedy = "a right is missing: run as root, or leave hugepages out with IIP_EAL_ARGS=\"--no-huge -m 256\"";
    else if (error == ENOMEM)
        remedy =
            "memory is short: give hugepages (echo 512 > /proc/sys/vm/nr_hugepages) or less in IIP_EAL_ARGS=\"--no-huge -m 128\"";
    return dpdk_fail(error == EACCES || error == EPERM ? IIP_E_ACCESS
                         : error == ENOMEM             ? IIP_E_NOMEM
                                                       : IIP_E_IO,
                     err, err_len, "DPDK did not start with \"%s\": %s: %s: %s", eal_line, strerror(error),
                     dpdk_log_line(), remedy);
}

/* The EAL is up: are the arguments that this port asks for the ones it came up with? */
static int eal_agrees(const struct dpdk_args *args, char *err, size_t err_len)
{
    if (args->eal && strcmp(args->eal, eal_asked) != 0)
        return dpdk_fail(
            IIP_E_BUSY, err, err_len,
            "eal=[%s]: DPDK is already up in this process with \"%s\": give the first dpdk port these arguments, or set "
            "IIP_EAL_ARGS",
            args->eal, eal_line);
    if (args->is_pci && strstr(eal_line, "--no-pci"))
        return dpdk_fail(IIP_E_BUSY, err, err_len,
                         "%s: DPDK came up without PCI (%s): leave --no-pci out of its arguments", args->device,
                         eal_line);
    return 0;
}

int dpdk_eal_start(const struct dpdk_args *args, const struct iip_port_cfg *cfg, char *err, size_t err_len)
{
    static struct eal_args user, all;
    int error = 0;

    if (eal_state == EAL_UP)
        return eal_agrees(args, err, err_len);
    if (eal_state == EAL_BROKEN)
        return eal_failed(EALREADY, err, err_len);
    memset(&user, 0, sizeof(user));
    memset(&all, 0, sizeof(all));
    args_add_words(&user, getenv("IIP_EAL_ARGS"));
    args_add_words(&user, args->eal);
    args_build(&all, &user, cfg);
    if (user.overflow || all.overflow)
        return dpdk_fail(IIP_E_INVAL, err, err_len, "IIP_EAL_ARGS, eal=[...]: more than %d arguments or %zu bytes",
                         ARGS_MAX, sizeof(all.text));
    eal_remember(&all);
    dpdk_log_capture(strstr(eal_line, "--log-level=error") == NULL);
    if (eal_run(&all, &error) < 0) {
        if (error != EALREADY) {
            eal_state = error == EINVAL ? EAL_DOWN : EAL_BROKEN;
            return eal_failed(error, err, err_len);
        }
        snprintf(eal_line, sizeof(eal_line), "the application's own arguments"); /* it did it before us: fine */
    }
    snprintf(eal_asked, sizeof(eal_asked), "%s", args->eal ? args->eal : "");
    eal_state = EAL_UP;
    return 0;
}

/* ---- threads of the application ---------------------------------------------------------------------------------- */

static pthread_key_t join_key;
static pthread_once_t join_once = PTHREAD_ONCE_INIT;

static void join_leave(void *arg)
{
    (void)arg;
    rte_thread_unregister();
}

static void join_init(void)
{
    pthread_key_create(&join_key, join_leave);
}

void dpdk_thread_join(void)
{
    static __thread int tried;

    if (tried)
        return;
    tried = 1;
    pthread_once(&join_once, join_init);
    if (rte_thread_register() == 0)
        pthread_setspecific(join_key, &tried);
}
