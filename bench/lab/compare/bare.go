// A bare RADIUS server on layeh.com/radius: what a few lines of Go make of the same work. It checks
// the Message-Authenticator of requests, looks the device up in a map or the password in another,
// and signs its replies. No policy, no duplicates, no records.
package main

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"

	"layeh.com/radius"
)

const (
	userName             = 1
	userPassword         = 2
	filterID             = 11
	sessionTimeout       = 27
	tunnelType           = 64
	tunnelMediumType     = 65
	messageAuthenticator = 80
	tunnelPrivateGroupID = 81
)

// sign gives the HMAC of a packet whose Message-Authenticator counts as zeros (RFC 3579 3.2).
func sign(packet *radius.Packet, secret []byte) ([]byte, error) {
	octets, err := packet.MarshalBinary()
	if err != nil {
		return nil, err
	}
	mac := hmac.New(md5.New, secret)
	mac.Write(octets)
	return mac.Sum(nil), nil
}

func signed(packet *radius.Packet, secret []byte) bool {
	field, there := packet.Lookup(messageAuthenticator)
	if !there || len(field) != 16 {
		return false
	}
	var given [16]byte
	copy(given[:], field)
	copy(field, make([]byte, 16))
	right, err := sign(packet, secret)
	copy(field, given[:])
	return err == nil && hmac.Equal(right, given[:])
}

func number(value uint32) radius.Attribute {
	octets := make([]byte, 4)
	binary.BigEndian.PutUint32(octets, value)
	return octets
}

// Arguments: address, file with the secret, first MAC address (12 digits), how many, users.
func main() {
	secret, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	first, err := strconv.ParseUint(os.Args[3], 16, 64)
	if err != nil {
		log.Fatal(err)
	}
	count, err := strconv.ParseUint(os.Args[4], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	users, err := strconv.Atoi(os.Args[5])
	if err != nil {
		log.Fatal(err)
	}
	devices := make(map[string]string, count)
	for n := uint64(0); n < count; n++ {
		name := fmt.Sprintf("%012x", first+n)
		devices[name] = name
	}
	for n := 0; n < users; n++ {
		devices[fmt.Sprintf("load%d@example.com", n)] = fmt.Sprintf("password%d", n)
	}
	handle := func(writer radius.ResponseWriter, request *radius.Request) {
		if !signed(request.Packet, request.Secret) {
			return
		}
		code := radius.CodeAccessReject
		password, err := radius.UserPassword(request.Get(userPassword), request.Secret, request.Authenticator[:])
		known, there := devices[strings.ToLower(string(request.Get(userName)))]
		if err == nil && there && known == string(password) {
			code = radius.CodeAccessAccept
		}
		reply := request.Response(code)
		reply.Add(messageAuthenticator, make([]byte, 16))
		if code == radius.CodeAccessAccept {
			reply.Add(tunnelType, number(13))
			reply.Add(tunnelMediumType, number(6))
			reply.Add(tunnelPrivateGroupID, []byte("20"))
			reply.Add(filterID, []byte("limited"))
			reply.Add(sessionTimeout, number(28800))
		}
		// Message-Authenticator of a reply is over the request's authenticator.
		if mac, err := sign(reply, request.Secret); err == nil {
			copy(reply.Get(messageAuthenticator), mac)
			_ = writer.Write(reply)
		}
	}
	server := radius.PacketServer{
		Addr:         os.Args[1],
		Handler:      radius.HandlerFunc(handle),
		SecretSource: radius.StaticSecretSource([]byte(strings.TrimSpace(string(secret)))),
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	log.Fatal(server.ListenAndServe())
}
