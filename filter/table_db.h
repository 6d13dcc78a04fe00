/*
 * table_db.h - databases that postmap(1) writes, as lists ask them.
 */
#ifndef FILTER_TABLE_DB_H
#define FILTER_TABLE_DB_H

#include "rules/tables.h"

/* Given to rules_load_with(): CDB and LMDB. */
extern const struct table_ops table_db_ops;

#endif
