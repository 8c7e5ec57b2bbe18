// gobpeer lets real encoding/gob look at what the project's codec writes, and writes values for it to read.
//
//	gobpeer copy TYPE < in > out   decodes one value and encodes it again with a fresh encoder
//	gobpeer json TYPE < in > out   decodes one value and prints it as JSON
//	gobpeer make N > out           encodes a made image with N inodes
//
// The shapes are declared here anew; only their names and fields are those of the protocol.
package main

import (
	"bufio"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

type Hash [64]byte

func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

type GenericInode interface{}
type InodeTable map[uint64]GenericInode

type DirectoryEntry struct {
	Name        string
	InodeNumber uint64
}
type DirectoryInode struct {
	EntryList     []*DirectoryEntry
	EntriesByName map[string]*DirectoryEntry
	Mode          uint32
	Uid           uint32
	Gid           uint32
}
type RegularInode struct {
	Mode             uint32
	Uid              uint32
	Gid              uint32
	MtimeNanoSeconds int32
	MtimeSeconds     int64
	Size             uint64
	Hash             Hash
}
type ComputedRegularInode struct {
	Mode   uint32
	Uid    uint32
	Gid    uint32
	Source string
}
type SymlinkInode struct {
	Uid     uint32
	Gid     uint32
	Symlink string
}
type SpecialInode struct {
	Mode             uint32
	Uid              uint32
	Gid              uint32
	MtimeNanoSeconds int32
	MtimeSeconds     int64
	Rdev             uint64
}
type FileSystem struct {
	InodeTable       InodeTable
	NumRegularInodes uint64
	TotalDataBytes   uint64
	DirectoryCount   uint64
	DirectoryInode
}
type Filter struct{ FilterLines []string }
type Trigger struct {
	MatchLines []string
	Service    string
	SortName   string `json:",omitempty"`
	DoReboot   bool   `json:",omitempty"`
	DoReload   bool   `json:",omitempty"`
	HighImpact bool   `json:",omitempty"`
}
type Triggers struct{ Triggers []*Trigger }
type Annotation struct {
	Object *Hash
	URL    string
}
type Package struct {
	Name    string
	Size    uint64
	Version string
}
type Tags map[string]string
type Image struct {
	BuildBranch   string
	BuildCommitId string
	BuildGitUrl   string `json:",omitempty"`
	CreatedBy     string
	CreatedFor    string `json:",omitempty"`
	Filter        *Filter
	FileSystem    *FileSystem
	Triggers      *Triggers
	ReleaseNotes  *Annotation
	BuildLog      *Annotation
	CreatedOn     time.Time
	ExpiresAt     time.Time
	OwnerGroups   []string `json:",omitempty"`
	OwnerUsers    []string `json:",omitempty"`
	Packages      []Package
	SourceImage   string `json:",omitempty"`
	Tags          Tags   `json:",omitempty"`
}

// NewerImage has fields that nobody knows yet, an interface among them, and others in another order.
type NewerImage struct {
	Novelty    map[string]time.Time
	ExpiresAt  time.Time
	FileSystem *FileSystem
	Anything   interface{}
	CreatedBy  string
	CreatedOn  time.Time
}
type AddImageRequest struct {
	ImageName string
	Image     *Image
}
type NewerAddImageRequest struct {
	Before    interface{}
	Image     *NewerImage
	ImageName string
	After     []interface{}
}
type GetImageResponse struct{ Image *Image }
type NewerGetImageResponse struct{ Image *NewerImage }
type FindLatestImageRequest struct {
	BuildCommitId        string
	DirectoryName        string
	IgnoreExpiringImages bool
	TagsToMatch          map[string][]string
}

func value(name string) interface{} {
	switch name {
	case "Image":
		return new(Image)
	case "NewerImage":
		return new(NewerImage)
	case "AddImageRequest":
		return new(AddImageRequest)
	case "NewerAddImageRequest":
		return new(NewerAddImageRequest)
	case "GetImageResponse":
		return new(GetImageResponse)
	case "NewerGetImageResponse":
		return new(NewerGetImageResponse)
	case "FindLatestImageRequest":
		return new(FindLatestImageRequest)
	}
	panic("unknown type: " + name)
}

func made(count int) *FileSystem {
	table := make(InodeTable)
	root := DirectoryInode{Mode: 040755}
	for number := 1; number <= count; number++ {
		var inode GenericInode
		switch number % 5 {
		case 0:
			inode = &ComputedRegularInode{0100600, 1, 2, "host:1"}
		case 1:
			inode = &SymlinkInode{1, 2, "target <&>\xff"}
		case 2:
			inode = &SpecialInode{020666, 0, 5, 999999999, -1, 0x103}
		case 3:
			inode = &DirectoryInode{Mode: 040711}
		default:
			regular := &RegularInode{0100644, 1000, 1000, 5, -5, uint64(number) << 40, Hash{}}
			for index := range regular.Hash {
				regular.Hash[index] = byte(number + index*7)
			}
			inode = regular
		}
		key := uint64(number)<<(number%2*40) + uint64(number)
		table[key] = inode
		root.EntryList = append(root.EntryList, &DirectoryEntry{fmt.Sprintf("é%d", number), key})
	}
	return &FileSystem{InodeTable: table, DirectoryInode: root}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	gob.RegisterName("*filesystem.RegularInode", &RegularInode{})
	gob.RegisterName("*filesystem.ComputedRegularInode", &ComputedRegularInode{})
	gob.RegisterName("*filesystem.SymlinkInode", &SymlinkInode{})
	gob.RegisterName("*filesystem.SpecialInode", &SpecialInode{})
	gob.RegisterName("*filesystem.DirectoryInode", &DirectoryInode{})
	gob.RegisterName("novelty.Package", Package{})
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	switch os.Args[1] {
	case "copy", "json":
		data := value(os.Args[2])
		fail(gob.NewDecoder(in).Decode(data))
		// Whoever wrote more than the value made a mistake.
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			fail(fmt.Errorf("%d bytes left", len(rest)))
		}
		if os.Args[1] == "copy" {
			fail(gob.NewEncoder(out).Encode(data))
		} else {
			fail(json.NewEncoder(out).Encode(data))
		}
	case "make":
		count, err := strconv.Atoi(os.Args[3])
		fail(err)
		fileSystem := made(count)
		when := time.Date(2031, 2, 3, 4, 5, 6, 7, time.FixedZone("", 5400))
		newer := &NewerImage{
			Novelty:    map[string]time.Time{"a": when},
			ExpiresAt:  when,
			FileSystem: fileSystem,
			Anything:   Package{"inner", 1, "2"},
		}
		var data interface{}
		switch os.Args[2] {
		case "Image":
			data = &Image{FileSystem: fileSystem, BuildBranch: "b", Tags: Tags{"k": "v", "k2": "<&>\u2028"}, CreatedOn: when}
		case "AddImageRequest":
			data = &AddImageRequest{"a/b", &Image{FileSystem: fileSystem, CreatedBy: "x"}}
		case "NewerImage":
			data = newer
		case "NewerAddImageRequest":
			data = &NewerAddImageRequest{nil, newer, "c/d", []interface{}{Package{"x", 1, ""}, "s"}}
		case "InterruptedAddImageRequest":
			data = &NewerAddImageRequest{Package{"before", 1, ""}, newer, "e/f", nil}
		}
		fail(gob.NewEncoder(out).Encode(data))
	}
	fail(out.Flush())
}
