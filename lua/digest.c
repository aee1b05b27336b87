/*
 * Owns what is made of bytes by the crypto library. Promises strict base64 (RFC 4648 section 4:
 * padded, nothing but the alphabet, no stray bits in the last group), so that a text has one
 * meaning, and a comparison that takes the same time wherever two strings differ.
 */
#include "digest.h"

#include "budget.h"

#include <lauxlib.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#define BYTES_PER_STEP 2
#define STEPS_PER_CALL 256 /* the library's own preparations */

/* base64 goes in pieces of that many groups: 3 bytes there, 4 characters here. */
#define GROUPS ((size_t)256)

static const unsigned char *check_bytes(lua_State *L, int index, size_t *len)
{
    return (const unsigned char *)luaL_checklstring(L, index, len);
}

static int push_hex(lua_State *L, const unsigned char digest[SHA256_DIGEST_LENGTH])
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * SHA256_DIGEST_LENGTH];
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    lua_pushlstring(L, hex, sizeof(hex));
    return 1;
}

/* sha256(s) */
static int sha256(lua_State *L)
{
    size_t len;
    const unsigned char *bytes = check_bytes(L, 1, &len);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + STEPS_PER_CALL);
    if (SHA256(bytes, len, digest) == NULL)
        return luaL_error(L, "sha256: the crypto library failed");
    return push_hex(L, digest);
}

/* hmac(key, s), with SHA-256 (RFC 2104) */
static int hmac(lua_State *L)
{
    size_t key_len;
    size_t len;
    const unsigned char *key = check_bytes(L, 1, &key_len);
    const unsigned char *bytes = check_bytes(L, 2, &len);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    luaL_argcheck(L, key_len <= INT_MAX, 1, "key too long");
    budget_spend(L, (unsigned)((key_len + len) / BYTES_PER_STEP) + 4 * STEPS_PER_CALL);
    if (HMAC(EVP_sha256(), key, (int)key_len, bytes, len, digest, NULL) == NULL)
        return luaL_error(L, "hmac: the crypto library failed");
    return push_hex(L, digest);
}

/* equal(a, b): only whether the lengths differ shows in the time it takes */
static int equal(lua_State *L)
{
    size_t a_len;
    size_t b_len;
    const unsigned char *a = check_bytes(L, 1, &a_len);
    const unsigned char *b = check_bytes(L, 2, &b_len);
    budget_spend(L, (unsigned)(a_len / BYTES_PER_STEP) + 1);
    lua_pushboolean(L, a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0);
    return 1;
}

/* base64.encode(s) */
static int base64_encode(lua_State *L)
{
    size_t len;
    const unsigned char *bytes = check_bytes(L, 1, &len);
    unsigned char text[4 * GROUPS + 1];
    luaL_Buffer out;
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + 1);
    luaL_buffinit(L, &out);
    while (len > 0) {
        size_t take = len < 3 * GROUPS ? len : 3 * GROUPS;
        int made = EVP_EncodeBlock(text, bytes, (int)take);
        luaL_addlstring(&out, (const char *)text, (size_t)made);
        bytes += take;
        len -= take;
    }
    luaL_pushresult(&out);
    return 1;
}

static bool is_base64_byte(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Whole groups of the alphabet, and nothing behind them but one or two '='; *pad says how many. */
static bool is_base64(const unsigned char *text, size_t len, size_t *pad)
{
    *pad = 0;
    if (len % 4 != 0)
        return false;
    while (*pad < 2 && *pad < len && text[len - 1 - *pad] == '=')
        ++*pad;
    for (size_t i = 0; i < len - *pad; i++)
        if (!is_base64_byte(text[i]))
            return false;
    return true;
}

/* Whether the last group is the one that its bytes give: no bit set that means nothing. */
static bool is_last_group_clean(const unsigned char *group, size_t pad)
{
    unsigned char bytes[3];
    unsigned char again[5];
    EVP_DecodeBlock(bytes, group, 4);
    EVP_EncodeBlock(again, bytes, 3 - (int)pad);
    return memcmp(again, group, 4) == 0;
}

/* base64.decode(text): nil when it is not base64 */
static int base64_decode(lua_State *L)
{
    size_t len;
    size_t pad;
    const unsigned char *text = check_bytes(L, 1, &len);
    unsigned char bytes[3 * GROUPS];
    luaL_Buffer out;
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + 1);
    if (!is_base64(text, len, &pad) || (len > 0 && !is_last_group_clean(text + len - 4, pad))) {
        lua_pushnil(L);
        return 1;
    }
    luaL_buffinit(L, &out);
    while (len > 0) {
        size_t take = len < 4 * GROUPS ? len : 4 * GROUPS;
        size_t made = (size_t)EVP_DecodeBlock(bytes, text, (int)take);
        text += take;
        len -= take;
        luaL_addlstring(&out, (const char *)bytes, len == 0 ? made - pad : made);
    }
    luaL_pushresult(&out);
    return 1;
}

void digest_install(lua_State *L)
{
    lua_pushcfunction(L, sha256);
    lua_setfield(L, -2, "sha256");
    lua_pushcfunction(L, hmac);
    lua_setfield(L, -2, "hmac");
    lua_pushcfunction(L, equal);
    lua_setfield(L, -2, "equal");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, base64_encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, base64_decode);
    lua_setfield(L, -2, "decode");
    lua_setfield(L, -2, "base64");
}
