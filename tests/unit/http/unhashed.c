/*
 * A 101 to a WebSocket that cannot be proved, for want of memory to hash the key, is refused as a
 * false one is. The functions of libcrypto are replaced by ones of which any may fail.
 */
#include "http/upgrade.h"

#include "message.h"

#include <openssl/evp.h>

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static int calls_left; /* before one fails; none does below 0 */

static int works(void)
{
    return calls_left < 0 || calls_left-- > 0;
}

EVP_MD_CTX *EVP_MD_CTX_new(void)
{
    static char context;
    return works() ? (EVP_MD_CTX *)(void *)&context : NULL;
}

void EVP_MD_CTX_free(EVP_MD_CTX *context)
{
    (void)context;
}

int EVP_DigestInit_ex(EVP_MD_CTX *context, const EVP_MD *kind, ENGINE *engine)
{
    (void)context;
    (void)kind;
    (void)engine;
    return works();
}

int EVP_DigestUpdate(EVP_MD_CTX *context, const void *bytes, size_t len)
{
    (void)context;
    (void)bytes;
    (void)len;
    return works();
}

/* The digest for ACCEPT, whatever was put in. */
int EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned *len)
{
    static const unsigned char known[] = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f,
                                          0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38,
                                          0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
    (void)context;
    memcpy(digest, known, sizeof known);
    *len = sizeof known;
    return works();
}

static int judged(const char *accept)
{
    struct head request = message_head("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    struct head response = message_head("Connection: upgrade\nUpgrade: websocket");
    struct upgrade_offers forwarded = {.protocol = {SLICE("websocket")}, .count = 1};
    struct slice protocol;
    assert_true(head_add(&response, SLICE("Sec-WebSocket-Accept"), slice_of_string(accept)));
    return upgrade_check(&request, &forwarded, &response, &protocol).status;
}

static void a_101_fits_if_its_key_can_be_hashed(void **test)
{
    (void)test;
    calls_left = -1;
    assert_int_equal(judged(ACCEPT), 0);
    assert_int_equal(judged(""), 502);
}

static void whatever_fails_the_101_is_refused(void **test)
{
    (void)test;
    for (int good = 0; good < 5; good++) {
        calls_left = good;
        assert_int_equal(judged(ACCEPT), 502);
    }
}

static void an_empty_accept_is_not_what_a_failed_hash_equals(void **test)
{
    (void)test;
    for (int good = 0; good < 5; good++) {
        calls_left = good;
        assert_int_equal(judged(""), 502);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGE_TEST(a_101_fits_if_its_key_can_be_hashed),
        MESSAGE_TEST(whatever_fails_the_101_is_refused),
        MESSAGE_TEST(an_empty_accept_is_not_what_a_failed_hash_equals),
    };
    return cmocka_run_group_tests_name("unhashed", tests, NULL, NULL);
}
