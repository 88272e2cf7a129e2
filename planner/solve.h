/* The planner's problem and its solution, without a graph: devices, classes of layers with what their parts cost, and the
 * way of serving every layer that makes a prompt and an answer take the least time (docs/planner.md).
 *
 * Layers that cost the same are one class.  An option says for a layer of a class where its parts are kept and computed;
 * what it uses of every resource (memory, seconds of devices, links, host memory, disk) is a vector, and a solution is how
 * many layers of each class take which option.  Vectors add up; the time of a phase is that of its most used resource. */
#ifndef PLANNER_SOLVE_H
#define PLANNER_SOLVE_H

#include "planner/placement.h"

struct solve_device {
    const char *name;
    bool host;
    int node;                    /* machine that it is in */
    int64_t memory_bytes;        /* what may be given out: margins and activations are taken off */
    int64_t pinned_bytes;        /* host: of its memory, for what is streamed */
    double link_rate;            /* card: bytes per second from its host, alone */
    double peer_rate;            /* card: from a card beside it without the host; 0: not so */
    double link_latency_seconds; /* card: one way */
    double memory_rate;          /* host: bytes per second for all that use its memory together */
    double links_rate;           /* host: bytes per second of all its links together; 0: no limit */
    double disk_rate;            /* host: bytes per second; 0: no disk */
};

struct solve_part {
    int64_t units, unit_bytes, common_bytes, unit_state_bytes; /* as of a placement_piece */
    int64_t used;                                              /* experts: of one token */
    double inner_bytes; /* dense: of a token's features between its matrices */
    const double *fixed_seconds[PLACEMENT_PHASES];    /* [devices] launches, whatever the share */
    const double *variable_seconds[PLACEMENT_PHASES]; /* [devices] of all units */
};

struct solve_class {
    int count; /* layers that are alike; 1 for embed and output */
    struct solve_part parts[PLACEMENT_PARTS];
};

struct solve_input {
    const struct solve_device *devices;
    const struct solve_class *classes;
    int device_count, class_count;
    double rows[PLACEMENT_PHASES];  /* tokens of a step: prompt chunk, sequences */
    double steps[PLACEMENT_PHASES]; /* chunks of the prompt, tokens of the answer */
    double row_bytes;               /* of the activations that move between devices, per token */
    int collectives; /* per dealt attention or dense part: 1 adds sums, 2 gathers features */
    bool gathers_slots; /* of experts each used one's result moves, and not their sum */
    double network_rate, network_latency_seconds; /* between nodes */
    int banned_lead;                              /* no layer has this one; -1: none */
    bool whole_streams; /* experts are streamed all of a layer's, or none */
};

/* Where one layer's parts are kept and computed; see struct placement_piece. */
struct solve_option {
    int class;
    int lead; /* devices that keep the residual stream, numbered in the order in which layers run */
    int lead_device;                                  /* the first of them */
    int64_t *home[PLACEMENT_PARTS];                   /* [devices + 1] */
    int64_t *work[PLACEMENT_PHASES][PLACEMENT_PARTS]; /* [devices] */
    double *use;                                      /* [solve_resource_count] what a layer uses */
    double *buffer;        /* [devices] bytes to stream into, which all layers share */
    double hidden_seconds; /* a little of all that it uses, for choosing between equals */
};

/* Resources: bytes of memory first, then seconds of a step of each phase. */
enum solve_time {
    SOLVE_BUSY,  /* the device computes */
    SOLVE_LINK,  /* bytes go over the card's link */
    SOLVE_DRAM,  /* the host's memory is read by its cores and by links */
    SOLVE_LINKS, /* all links of a host together */
    SOLVE_DISK,
    SOLVE_TIMES
};
int solve_resource_count(const struct solve_input *input);
int solve_memory(int d);
int solve_pinned(const struct solve_input *input, int d);
/* One part after the other, with the transfers between them. */
int solve_serial(const struct solve_input *input, enum placement_phase phase);
int solve_time(const struct solve_input *input, enum placement_phase phase, enum solve_time time,
               int d);
/* "the link of rtx3090" */
const char *solve_resource_name(const struct solve_input *input, int resource, struct arena *arena);

/* solve_use.c */
void solve_count_use(const struct solve_input *input, struct solve_option *option);
/* The share of a part's bytes that a step reads: of experts those that at least one token uses. */
double solve_read_share(const struct solve_part *part, double rows);
double solve_transfer_seconds(const struct solve_input *input, int from, int to, double bytes);

/* solve_prune.c: leaves out the options that another one of the same class and lead beats or equals in every resource. */
CHECKED status solve_prune_options(const struct solve_input *input, struct solve_option *options,
                                   int *count, struct arena *scratch,
                                   struct diagnostic *diagnostic);

/* solve_options.c: all options of all classes, in an order that depends on the input alone. */
CHECKED status solve_list_options(const struct solve_input *input, struct arena *arena,
                                  struct solve_option **options, int *count,
                                  struct diagnostic *diagnostic);

struct solve_times {
    double total_seconds;  /* of prompt and answer */
    double ranked_seconds; /* the same, and a little for what is hidden behind it: what is least */
    double prefill_seconds, decode_seconds; /* of the whole prompt; of one token */
    int bounds[PLACEMENT_PHASES];           /* the resource that takes longest */
    double short_bytes; /* of memory that there is not; 0: the solution is legal */
    int short_device;
};

/* solve_evaluate.c: how many layers take which option, and what they use together. */
struct solve_state {
    const struct solve_input *input;
    const struct solve_option *options;
    int option_count;
    int *counts; /* [options] */
    int *active; /* options with counts above 0, in no order */
    int active_count;
    double *use; /* [resources] */
    int *leads;  /* [leads] layers of each */
    int lead_count;
};
CHECKED status solve_state_create(const struct solve_input *input,
                                  const struct solve_option *options, int option_count,
                                  struct arena *arena, struct solve_state *state,
                                  struct diagnostic *diagnostic);
void solve_state_clear(struct solve_state *state);
void solve_state_add(struct solve_state *state, int option, int layers); /* negative: takes away */
void solve_state_set(struct solve_state *state, const int *counts);
/* The cost model. */
struct solve_times solve_state_times(const struct solve_state *state);
/* Smaller is better: total seconds, and anything legal before all that is not. */
double solve_rank(const struct solve_times *times);

struct solution {
    struct solve_option *options;
    int option_count;
    int *counts; /* [options] */
    struct solve_times times;
    double bound_seconds; /* no solution has fewer ranked seconds */
    int programs;         /* linear programs solved */
    bool proven;          /* nothing better by a thousandth was left out */
};

/* solve.c: STATUS_NO_MEMORY says what is missing where. */
CHECKED status solve_run(const struct solve_input *input, struct arena *arena,
                         struct solution *solution, struct diagnostic *diagnostic);

/* solve_rule.c: the rule that people use, in the same options: layers onto cards in order, and of the last layers the
 * experts to the host (whole last layers where there are none) until the rest fits.  Its times are legal where the rule
 * has an answer.  `in_order`: the same where each card is filled before the next gets a layer; the rule itself may also share
 * layers out in proportion to memory. */
CHECKED status solve_by_rule(const struct solve_input *input, struct arena *arena,
                             struct solution *rule, struct solve_times *in_order,
                             struct diagnostic *diagnostic);

/* solve_search.c: betters a state by moving layers to `wanted` options, one move at a time, and two at once (`pairs`) where
 * no single one helps, until none does. */
CHECKED status solve_improve(struct solve_state *state, const bool *wanted, bool pairs,
                             struct arena *scratch, struct diagnostic *diagnostic);

#endif
