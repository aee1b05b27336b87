/*
 * Owns what is made of bytes by the crypto library. Promises strict base64 (RFC 4648 section 4:
 * padded, nothing but the alphabet, no stray bits in the last group), so that a text has one
 * meaning, and a comparison that takes the same time wherever two strings differ.
 */
#include "digest.h"

#include "budget.h"

#include <lauxlib.h>
#include <nettle/base16.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <string.h>

#define BYTES_PER_STEP 2
#define STEPS_PER_CALL 256 /* the library's own preparations */

/* base64 goes in pieces of that many groups: 3 bytes there, 4 characters here. */
#define GROUPS ((size_t)256)

static const uint8_t *check_bytes(lua_State *L, int index, size_t *len)
{
    return (const uint8_t *)luaL_checklstring(L, index, len);
}

static int push_hex(lua_State *L, const uint8_t digest[SHA256_DIGEST_SIZE])
{
    char hex[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE)];
    base16_encode_update(hex, SHA256_DIGEST_SIZE, digest);
    lua_pushlstring(L, hex, sizeof hex);
    return 1;
}

/* sha256(s) */
static int sha256(lua_State *L)
{
    size_t len;
    const uint8_t *bytes = check_bytes(L, 1, &len);
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + STEPS_PER_CALL);
    sha256_init(&hash);
    sha256_update(&hash, len, bytes);
    sha256_digest(&hash, sizeof digest, digest);
    return push_hex(L, digest);
}

/* hmac(key, s), with SHA-256 (RFC 2104) */
static int hmac(lua_State *L)
{
    size_t key_len;
    size_t len;
    const uint8_t *key = check_bytes(L, 1, &key_len);
    const uint8_t *bytes = check_bytes(L, 2, &len);
    struct hmac_sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    budget_spend(L, (unsigned)((key_len + len) / BYTES_PER_STEP) + 4 * STEPS_PER_CALL);
    hmac_sha256_set_key(&hash, key_len, key);
    hmac_sha256_update(&hash, len, bytes);
    hmac_sha256_digest(&hash, sizeof digest, digest);
    return push_hex(L, digest);
}

/* equal(a, b): only whether the lengths differ shows in the time it takes */
static int equal(lua_State *L)
{
    size_t a_len;
    size_t b_len;
    const uint8_t *a = check_bytes(L, 1, &a_len);
    const uint8_t *b = check_bytes(L, 2, &b_len);
    budget_spend(L, (unsigned)(a_len / BYTES_PER_STEP) + 1);
    lua_pushboolean(L, a_len == b_len && memeql_sec(a, b, a_len));
    return 1;
}

/* base64.encode(s) */
static int base64_encode(lua_State *L)
{
    size_t len;
    const uint8_t *bytes = check_bytes(L, 1, &len);
    char text[4 * GROUPS];
    luaL_Buffer out;
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + 1);
    luaL_buffinit(L, &out);
    while (len > 0) {
        size_t take = len < 3 * GROUPS ? len : 3 * GROUPS;
        base64_encode_raw(text, take, bytes);
        luaL_addlstring(&out, text, BASE64_ENCODE_RAW_LENGTH(take));
        bytes += take;
        len -= take;
    }
    luaL_pushresult(&out);
    return 1;
}

/* The library passes over white space: a text would have other forms. */
static bool has_space(const char *text, size_t len)
{
    static const char space[] = "\t\n\v\f\r ";
    for (size_t i = 0; i < len; i++)
        if (memchr(space, text[i], sizeof space - 1) != NULL)
            return true;
    return false;
}

/* base64.decode(text): nil when it is not base64 */
static int base64_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    uint8_t bytes[BASE64_DECODE_LENGTH(4 * GROUPS)];
    struct base64_decode_ctx decoding;
    luaL_Buffer out;
    budget_spend(L, (unsigned)(len / BYTES_PER_STEP) + 1);
    bool good = !has_space(text, len);
    base64_decode_init(&decoding);
    luaL_buffinit(L, &out);
    while (len > 0 && good) {
        size_t take = len < 4 * GROUPS ? len : 4 * GROUPS;
        size_t made = sizeof bytes;
        good = base64_decode_update(&decoding, &made, bytes, take, text) == 1;
        if (good)
            luaL_addlstring(&out, (const char *)bytes, made);
        text += take;
        len -= take;
    }
    luaL_pushresult(&out);
    if (!good || base64_decode_final(&decoding) != 1)
        lua_pushnil(L);
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
