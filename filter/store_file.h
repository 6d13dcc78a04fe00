/*
 * store_file.h - the file of a store by LMDB: opened, looked over, and found
 * to be another one later.
 */
#ifndef FILTER_STORE_FILE_H
#define FILTER_STORE_FILE_H

#include <lmdb.h>
#include <sys/types.h>

#include "store.h"

/* One thread at a time. */
struct store_file {
	char		*path;
	size_t		 limit;		/* entries of each kind */
	MDB_env		*env;		/* NULL: not open */
	MDB_dbi		 records[STORE_KINDS], ends[STORE_KINDS];
	dev_t		 dev;
	ino_t		 ino;
	off_t		 size;		/* when it was looked at last */
};

/*
 * Opens it, a new one if there is none, having held its structure to what LMDB expects.
 * 0, or -1 and the reason in `why`, with what is to be done where that helps.
 */
int store_file_open(struct store_file *f, struct strbuf *why);
/* It may be opened again.  Nothing of it may be in use. */
void store_file_close(struct store_file *f);

/* What has become of the file behind our back, or NULL if nothing has. */
const char *store_file_changed(struct store_file *f);

/* Is that error of LMDB one of the file, so that it is to be looked over again? */
bool store_file_broken(int error);
/* The reason behind that error, in words. */
const char *store_file_error(const struct store_file *f, int error);

#endif
