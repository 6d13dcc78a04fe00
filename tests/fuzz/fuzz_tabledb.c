/*
 * fuzz_tabledb.c - databases of any content.
 *
 * An even first octet is followed by a CDB, an odd one by an LMDB file, whose
 * pages are put together from pieces: an octet tells how many octets
 * of a page of 256 come next, zeros fill it up.  So a page is small enough to be found.
 * Such a file may be the store's, too.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter/store_check.h"
#include "filter/table_db.h"
#include "filter/table_lmdb.h"

#define PAGE	256
#define PAGES	64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fd = -1;
static char path[32];

static void
put(const uint8_t *data, size_t size)
{
	if (fd == -1) {
		if ((fd = memfd_create("table", MFD_CLOEXEC)) == -1)
			abort();
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
}

static unsigned seen;

/* Touches all of what it is given. */
static int
touch(void *arg, struct str key, struct str value)
{
	(void)arg;
	for (size_t i = 0; i < key.n; i++)
		seen += (unsigned char)key.p[i];
	for (size_t i = 0; i < value.n; i++)
		seen += (unsigned char)value.p[i];
	return 0;
}

static void
lmdb(const uint8_t *data, size_t size)
{
	struct strbuf why = { 0 };
	size_t pages = 0;
	uint8_t *file;

	if ((file = calloc(PAGES, PAGE)) == NULL)
		abort();
	while (size > 0 && pages < PAGES) {
		size_t n = data[0] < size ? data[0] : size - 1;

		memcpy(file + pages * PAGE, data + 1, n);
		data += n + 1;
		size -= n + 1;
		pages++;
	}
	/* Of its own size, for the sanitizers. */
	if ((file = realloc(file, pages * PAGE + 1)) == NULL)
		abort();
	if (table_lmdb_each(file, pages * PAGE, touch, NULL, &why) != 0 && why.n == 0)
		abort();
	why.n = 0;
	put(file, pages * PAGE);
	if (store_check(fd, true, &why) != 0 && why.n == 0)
		abort();
	strbuf_free(&why);
	free(file);
}

static void
cdb(const uint8_t *data, size_t size)
{
	struct strbuf why = { 0 };
	struct str text;
	char key[33];
	void *db;

	put(data, size);
	if ((db = table_db_ops.open(TABLE_CDB, path, &why)) == NULL) {
		if (why.n == 0)
			abort();
		strbuf_free(&why);
		return;
	}
	for (size_t at = 0; at < size; at += 40) {
		size_t n = size - at < 32 ? size - at : 32;

		memcpy(key, data + at, n);
		key[n] = '\0';
		if (table_db_ops.get(db, (struct str){ key, n }, &text) == 1)
			(void)touch(NULL, text, text);
	}
	table_db_ops.close(db);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 65536)
		return 0;
	if (data[0] % 2)
		lmdb(data + 1, size - 1);
	else
		cdb(data + 1, size - 1);
	return 0;
}
