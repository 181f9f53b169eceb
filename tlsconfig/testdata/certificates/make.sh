#!/usr/bin/env bash
# Makes the certificate files of this folder anew, with openssl, keytool, pk12util and
# certtool. All keys are for tests alone. Run it in an empty folder and copy the result
# here; expected.tsv, beside it, says what has to come of each file.
set -euo pipefail
work=$(mktemp -d); out=$PWD
trap 'rm -rf "$work"' EXIT
cd "$work"
p=secret

# A root, an intermediate, and leaves of every kind of key.
openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.crt -subj "/CN=Test Root" -days 36500 -sha256 -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout inter.key -out inter.csr -subj "/CN=Test Intermediate" 2>/dev/null
printf 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n' >inter.ext
openssl x509 -req -in inter.csr -CA root.crt -CAkey root.key -CAcreateserial -out inter.crt -days 36500 -sha256 -extfile inter.ext 2>/dev/null
leaf() { # name, extension lines, x509 options...; its key is $name.key
  local name=$1 ext=$2; shift 2
  printf '%b' "$ext" >"$name.ext"
  openssl req -new -key "$name.key" -out "$name.csr" -subj "/CN=$name" 2>/dev/null
  openssl x509 -req -in "$name.csr" -CA inter.crt -CAkey inter.key -CAcreateserial -out "$name.crt" -extfile "$name.ext" "$@" 2>/dev/null
}
usual='subjectAltName=DNS:lab.example\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n'
for size in 2048 3072 1024; do openssl genrsa -traditional -out "rsa$size.key" $size 2>/dev/null; done
for curve in prime256v1 secp384r1 secp521r1; do openssl ecparam -name $curve -genkey -noout -out "$curve.key"; done
openssl genpkey -algorithm ed25519 -out ed25519.key
for name in rsa2048 rsa3072 prime256v1 secp384r1 secp521r1 ed25519; do leaf "$name" "$usual" -days 36500 -sha256; done
leaf rsa1024 "$usual" -days 36500 -sha256
cp rsa2048.key sha1.key; leaf sha1 "$usual" -days 36500 -sha1
cp rsa2048.key md5.key; leaf md5 "$usual" -days 36500 -md5 || true
cp rsa2048.key usage.key; leaf usage 'keyUsage=critical,keyEncipherment\nextendedKeyUsage=emailProtection\n' -days 36500 -sha256
cp rsa2048.key clientonly.key; leaf clientonly 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n' -days 36500 -sha256
cp rsa2048.key expired.key
openssl req -new -key expired.key -out expired.csr -subj "/CN=expired" 2>/dev/null
mkdir ca; touch ca/index.txt; echo 01 >ca/serial
cat >ca.cnf <<'CNF'
[ca]
default_ca=d
[d]
dir=ca
database=ca/index.txt
serial=ca/serial
new_certs_dir=ca
default_md=sha256
policy=p
copy_extensions=copy
[p]
commonName=supplied
CNF
openssl ca -batch -config ca.cnf -cert inter.crt -keyfile inter.key -in expired.csr -out expired.crt -startdate 20200101000000Z -enddate 20210101000000Z -notext 2>/dev/null
openssl req -new -key rsa2048.key -out future.csr -subj "/CN=future" 2>/dev/null
openssl ca -batch -config ca.cnf -cert inter.crt -keyfile inter.key -in future.csr -out future.crt -startdate 20980101000000Z -enddate 20990101000000Z -notext 2>/dev/null
openssl rsa -in rsa2048.key -traditional -out pkcs1.key 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in rsa2048.key -out plain8.key

# PEM.
for name in rsa2048 rsa3072 prime256v1 secp384r1 secp521r1 ed25519; do cat "$name.crt" "$name.key" >"$out/pem-$name.pem"; done
cat rsa2048.key rsa2048.crt inter.crt >"$out/pem-key-first.pem"
cat root.crt inter.crt plain8.key rsa2048.crt >"$out/pem-chain-reversed-with-root.pem"
cat inter.crt rsa2048.crt pkcs1.key >"$out/pem-intermediate-first.pem"
sed 's/$/\r/' "$out/pem-key-first.pem" >"$out/pem-windows-lines.pem"
{ printf '\xef\xbb\xbf'; cat "$out/pem-key-first.pem"; } >"$out/pem-bom.pem"
{ openssl x509 -in rsa2048.crt -text; cat rsa2048.key; } >"$out/pem-with-text.pem"
for cipher in aes128 aes256 des3; do { cat rsa2048.crt; openssl rsa -in rsa2048.key -traditional -$cipher -passout pass:$p 2>/dev/null; } >"$out/pem-dek-$cipher.pem"; done
{ cat prime256v1.crt; openssl ec -in prime256v1.key -aes128 -passout pass:$p 2>/dev/null; } >"$out/pem-dek-ec.pem"
for cipher in aes-128-cbc aes-192-cbc aes-256-cbc des3; do { cat rsa2048.crt; openssl pkcs8 -topk8 -in rsa2048.key -v2 $cipher -passout pass:$p; } >"$out/pem-pbes2-$cipher.pem"; done
{ cat rsa2048.crt; openssl pkcs8 -topk8 -in rsa2048.key -scrypt -passout pass:$p; } >"$out/pem-scrypt.pem"
{ cat rsa2048.crt; openssl pkcs8 -topk8 -in rsa2048.key -v2 aes-256-cbc -v2prf hmacWithSHA512 -passout pass:$p; } >"$out/pem-pbes2-sha512.pem"
{ cat ed25519.crt; openssl pkcs8 -topk8 -in ed25519.key -passout pass:$p; } >"$out/pem-pbes2-ed25519.pem"
{ cat rsa2048.crt; openssl pkcs8 -topk8 -in rsa2048.key -v1 PBE-SHA1-3DES -passout pass:$p; } >"$out/pem-pbes1.pem"
cp rsa2048.crt "$out/certificate-alone.crt"
openssl x509 -in rsa2048.crt -outform DER -out "$out/certificate-alone.cer"
cp rsa2048.key "$out/key-alone.key"
openssl rsa -in rsa2048.key -outform DER -out "$out/key-alone.der" 2>/dev/null
{ cat rsa2048.crt; openssl rsa -in rsa2048.key -pubout 2>/dev/null; } >"$out/pem-public-key.pem"
cat rsa2048.crt rsa3072.key >"$out/pem-mismatch.pem"
cat rsa2048.csr rsa2048.key >"$out/pem-request.pem"
openssl req -in rsa2048.csr -outform DER -out "$out/request.der"
cat rsa2048.crt rsa2048.key rsa3072.crt rsa3072.key >"$out/pem-two-keys.pem"
head -c 900 "$out/pem-key-first.pem" >"$out/pem-cut-off.pem"
for name in expired future usage clientonly rsa1024 sha1 md5; do
  key=rsa2048.key; [ "$name" = rsa1024 ] && key=rsa1024.key
  [ -s "$name.crt" ] && cat "$name.crt" "$key" >"$out/pem-$name.pem"
done
openssl crl2pkcs7 -nocrl -certfile rsa2048.crt -out "$out/chain.p7b"

# PFX of OpenSSL, old and new.
export_pfx() { local file=$1; shift; openssl pkcs12 -export -out "$out/$file" "$@"; }
export_pfx pfx-openssl3.pfx -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-openssl3-chain.pfx -inkey rsa2048.key -in rsa2048.crt -certfile inter.crt -passout pass:$p
export_pfx pfx-openssl3-full-chain.pfx -inkey rsa2048.key -in rsa2048.crt -certfile <(cat root.crt inter.crt) -passout pass:$p
export_pfx pfx-openssl1.pfx -legacy -inkey rsa2048.key -in rsa2048.crt -certfile inter.crt -passout pass:$p
export_pfx pfx-3des.pfx -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-rc2-40.pfx -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-RC2-40 -macalg sha1 -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-rc2-128.pfx -legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128 -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-aes128.pfx -keypbe AES-128-CBC -certpbe AES-128-CBC -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-aes256-sha256.pfx -keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha256 -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-sha384-mac.pfx -macalg sha384 -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-sha512-mac.pfx -macalg sha512 -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-certificates-plain.pfx -certpbe NONE -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-key-plain.pfx -keypbe NONE -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-nothing-encrypted.pfx -keypbe NONE -certpbe NONE -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-no-mac.pfx -nomac -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
export_pfx pfx-no-mac-plain.pfx -nomac -keypbe NONE -certpbe NONE -inkey rsa2048.key -in rsa2048.crt -passout pass:
export_pfx pfx-empty-password.pfx -inkey rsa2048.key -in rsa2048.crt -passout pass:
export_pfx pfx-empty-password-legacy.pfx -legacy -inkey rsa2048.key -in rsa2048.crt -passout pass:
export_pfx pfx-umlaut.pfx -inkey rsa2048.key -in rsa2048.crt -passout pass:Größe
export_pfx pfx-no-key.pfx -nokeys -in rsa2048.crt -passout pass:$p
export_pfx pfx-ca-first.pfx -inkey rsa2048.key -in <(cat root.crt inter.crt rsa2048.crt) -passout pass:$p
export_pfx pfx-friendly.pfx -name "Laboratory" -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
for name in prime256v1 secp384r1 secp521r1 ed25519; do export_pfx "pfx-$name.pfx" -inkey "$name.key" -in "$name.crt" -passout pass:$p; done
export_pfx pfx-mac-once.pfx -legacy -iter 1 -nomaciter -inkey rsa2048.key -in rsa2048.crt -passout pass:$p
head -c 1200 "$out/pfx-openssl3.pfx" >"$out/pfx-cut-off.pfx"

# PFX of Java.
export_pfx one.p12 -name one -inkey rsa2048.key -in rsa2048.crt -certfile inter.crt -passout pass:secret1
export_pfx two.p12 -name two -inkey rsa3072.key -in rsa3072.crt -certfile inter.crt -passout pass:secret1
for f in one two; do keytool -importkeystore -noprompt -srckeystore "$out/$f.p12" -srcstoretype PKCS12 -srcstorepass secret1 -destkeystore "$out/pfx-java-two-keys.p12" -deststoretype PKCS12 -deststorepass secret1 2>/dev/null; done
keytool -importkeystore -noprompt -srckeystore "$out/one.p12" -srcstorepass secret1 -destkeystore "$out/pfx-java.p12" -deststoretype PKCS12 -deststorepass secret1 2>/dev/null
keytool -J-Dkeystore.pkcs12.legacy -importkeystore -noprompt -srckeystore "$out/one.p12" -srcstorepass secret1 -destkeystore "$out/pfx-java-legacy.p12" -deststoretype PKCS12 -deststorepass secret1 2>/dev/null
keytool -importcert -noprompt -alias root -file root.crt -keystore "$out/pfx-java-trusted.p12" -storetype PKCS12 -storepass secret1 2>/dev/null
cp "$out/pfx-java.p12" "$out/pfx-java-with-root.p12"
keytool -importcert -noprompt -alias root -file root.crt -keystore "$out/pfx-java-with-root.p12" -storepass secret1 2>/dev/null
keytool -genkeypair -alias own -keyalg EC -groupname secp256r1 -dname CN=own -validity 36500 -keystore "$out/pfx-java-own.p12" -storetype PKCS12 -storepass secret1 2>/dev/null
keytool -importkeystore -noprompt -srckeystore "$out/one.p12" -srcstorepass secret1 -destkeystore "$out/keystore.jks" -deststoretype JKS -deststorepass secret1 2>/dev/null
rm "$out/one.p12" "$out/two.p12"

# PFX of NSS (Firefox, 389 Directory Server).
mkdir nss; certutil -N -d nss --empty-password
export_pfx nss.p12 -name nss -inkey rsa2048.key -in rsa2048.crt -certfile inter.crt -passout pass:$p
pk12util -i "$out/nss.p12" -d nss -W $p >/dev/null
pk12util -o "$out/pfx-nss.p12" -n nss -d nss -W $p >/dev/null
pk12util -o "$out/pfx-nss-3des.p12" -n nss -d nss -W $p -c "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC" -C "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC" >/dev/null
rm "$out/nss.p12"

# PFX of GnuTLS.
certtool --to-p12 --load-privkey plain8.key --load-certificate rsa2048.crt --p12-name gnutls --password $p --outder --outfile "$out/pfx-gnutls.p12" 2>/dev/null
certtool --to-p12 --pkcs-cipher 3des-pkcs12 --load-privkey plain8.key --load-certificate rsa2048.crt --p12-name gnutls --password $p --outder --outfile "$out/pfx-gnutls-3des.p12" 2>/dev/null

# BER: the parts of an OpenSSL file with lengths that only an end mark tells.
python3 - "$out" <<'PY'
import sys
out = sys.argv[1]
def parse(b):
    tag, n, i = b[0], b[1], 2
    if n & 0x80:
        k = n & 0x7f; n = int.from_bytes(b[2:2+k], 'big'); i = 2+k
    return tag, b[i:i+n], b[i+n:]
def ber(b, depth):
    result = b''
    while b:
        tag, content, b = parse(b)
        if tag & 0x20 and depth < 6:
            result += bytes([tag, 0x80]) + ber(content, depth+1) + b'\0\0'
        elif tag == 4 and len(content) > 300 and depth < 6:
            pieces = b''.join(b'\x04\x81' + bytes([len(content[i:i+200])]) + content[i:i+200] for i in range(0, len(content), 200))
            result += b'\x24\x80' + pieces + b'\0\0'
        else:
            n = len(content)
            size = bytes([n]) if n < 128 else (lambda l: bytes([0x80 | len(l)]) + l)(n.to_bytes((n.bit_length()+7)//8, 'big'))
            result += bytes([tag]) + size + content
    return result
for name in ['pfx-openssl3', 'pfx-3des']:
    raw = open(f'{out}/{name}.pfx', 'rb').read()
    open(f'{out}/{name}-ber.pfx', 'wb').write(ber(raw, 0))
PY
# Three parts: the certificates of two files and the key of one.
