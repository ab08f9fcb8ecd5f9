/* test_keys.c - the key table says one thing for each key, and says it of every request. */
#include <criterion/criterion.h>
#include <string.h>

#include "viewer/tui/keys.h"

Test(keys, no_key_means_two_things_on_one_screen)
{
    for (unsigned screen = 1; screen <= ON_ALL; screen <<= 1)
        for (size_t i = 0; i < key_table_size; i++)
            for (int k = 0; (key_table[i].screens & screen) && k < KEYS_PER_REQUEST && key_table[i].keys[k]; k++)
                cr_assert_eq(keys_request(screen, key_table[i].keys[k]), key_table[i].request, "'%s' key %d",
                             key_table[i].help, k);
}

Test(keys, every_request_has_a_key_and_a_help_text)
{
    for (int r = REQ_NONE + 1; r < REQUESTS; r++) {
        if (r == REQ_RESIZE)
            continue;
        const struct key_binding *b = keys_binding((enum request)r);
        cr_assert(b, "request %d", r);
        cr_assert(b->keys[0] != KEY_NOTHING && b->help && *b->help && b->screens);
    }
}

Test(keys, names_read_back_as_their_key)
{
    char name[KEY_NAME];

    for (size_t i = 0; i < key_table_size; i++)
        for (int k = 0; k < KEYS_PER_REQUEST && key_table[i].keys[k]; k++)
            for (int ascii = 0; ascii < 2; ascii++) {
                keys_name(key_table[i].keys[k], ascii, name);
                cr_assert_eq(keys_named(name), key_table[i].keys[k], "%s", name);
            }
    cr_assert_eq(keys_named("no such key"), KEY_NOTHING);
    cr_assert_eq(keys_named(""), KEY_NOTHING);
}

Test(keys, plain_names_are_ascii)
{
    char name[KEY_NAME];

    for (size_t i = 0; i < key_table_size; i++)
        for (int k = 0; k < KEYS_PER_REQUEST && key_table[i].keys[k]; k++) {
            keys_name(key_table[i].keys[k], 1, name);
            for (const char *c = name; *c; c++)
                cr_assert(*c > ' ' && *c < 0x7f);
        }
}

Test(keys, hints_name_keys_of_their_screen)
{
    for (size_t i = 0; i < key_hints_size; i++)
        for (int r = 0; r < 4 && key_hints[i].requests[r]; r++)
            cr_assert(keys_binding(key_hints[i].requests[r])->screens & key_hints[i].screens);
}
