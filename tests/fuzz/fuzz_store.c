/*
 * fuzz_store.c - records of any content in the store, and what an operation
 * makes of them.
 *
 * The first octet is the operation, two more its length of time; then the length of the
 * first record and both records.  What comes out must be a record that the next
 * operation goes on with.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter/store_record.h"

#define NOW	1771234567

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store_op
operation(uint8_t what, int64_t time)
{
	struct store_op op = { .now = NOW * INT64_C(1000) };

	if (what & 1) {
		op.what = STORE_OP_GREYLIST;
		op.greylist = (struct store_greylist){ .delay = 1 + time, .retry = 172800,
		    .lifetime = 3024000, .whitelist_after = what >> 1 };
	} else {
		op.what = STORE_OP_RATE;
		op.rate.window = 1 + time * (what >> 1);
	}
	return op;
}

static void
check(const struct record *r, unsigned changed)
{
	for (int i = 0; i < STORE_OP_KEYS; i++)
		if (r[i].n > RECORD_OCTETS || ((changed & 1u << i) && (r[i].n == 0 || r[i].expires <= NOW)))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r[STORE_OP_KEYS] = { 0 };
	struct store_op op, again;
	uint64_t before;
	size_t first;

	if (size < 4)
		return 0;
	op = again = operation(data[0], data[1] << 8 | data[2]);
	first = data[3];
	data += 4;
	size -= 4;
	first = first * 2 < size ? first * 2 : size;
	r[0].n = first < RECORD_OCTETS ? first : RECORD_OCTETS;
	memcpy(r[0].b, data, r[0].n);
	r[1].n = size - first < RECORD_OCTETS ? size - first : RECORD_OCTETS;
	memcpy(r[1].b, data + first, r[1].n);
	check(r, store_op_apply(&op, r));
	check(r, store_op_apply(&again, r));
	if (op.what == STORE_OP_RATE) {
		/* One more, unless a count is at its end. */
		before = op.rate.count;
		if (before == 0 || again.rate.count < before || again.rate.count > before + 1)
			abort();
	} else if (op.greylist.delayed && !again.greylist.delayed)
		abort();		/* no time has gone by */
	return 0;
}
