//! Structs by offset: Debian has no generator of Rust code, and the structs of torture.capnp are few.

use capnp::capability::{Client, RemotePromise, Request};
use capnp::private::layout::{PointerBuilder, PointerReader, StructBuilder, StructReader, StructSize};
use capnp::traits::{FromPointerBuilder, FromPointerReader};
use capnp::{any_pointer, data, text, Error, Word};

/// Id of the interface `Torture`.
pub const TORTURE: u64 = 0x98fa_acef_6c5d_0961;
/// Id of the interface `Torture.Resolver`.
pub const RESOLVER: u64 = 0xc539_1555_8911_7abe;

/// A struct that is read.
pub struct In<'a>(StructReader<'a>);

impl<'a> FromPointerReader<'a> for In<'a> {
    fn get_from_pointer(reader: &PointerReader<'a>, default: Option<&'a [Word]>) -> capnp::Result<Self> {
        Ok(In(reader.get_struct(default)?))
    }
}

impl<'a> In<'a> {
    pub fn u16(&self, index: usize) -> u16 {
        self.0.get_data_field(index)
    }
    pub fn u32(&self, index: usize) -> u32 {
        self.0.get_data_field(index)
    }
    pub fn u64(&self, index: usize) -> u64 {
        self.0.get_data_field(index)
    }
    pub fn text(&self, pointer: usize) -> capnp::Result<text::Reader<'a>> {
        self.0.get_pointer_field(pointer).get_text(None)
    }
    pub fn data(&self, pointer: usize) -> capnp::Result<data::Reader<'a>> {
        self.0.get_pointer_field(pointer).get_data(None)
    }
    /// None where the capability is null.
    pub fn cap(&self, pointer: usize) -> capnp::Result<Option<Client>> {
        let pointer = self.0.get_pointer_field(pointer);
        if pointer.is_null() {
            return Ok(None);
        }
        Ok(Some(Client::new(pointer.get_capability()?)))
    }
    pub fn required_cap(&self, pointer: usize) -> capnp::Result<Client> {
        self.cap(pointer)?.ok_or_else(|| Error::failed("a capability is null".into()))
    }
}

/// A struct that is built, with so many words and pointers.
pub struct Out<'a, const WORDS: u16, const POINTERS: u16>(StructBuilder<'a>);

impl<'a, const WORDS: u16, const POINTERS: u16> FromPointerBuilder<'a> for Out<'a, WORDS, POINTERS> {
    fn init_pointer(builder: PointerBuilder<'a>, _length: u32) -> Self {
        Out(builder.init_struct(StructSize { data: WORDS, pointers: POINTERS }))
    }
    fn get_from_pointer(builder: PointerBuilder<'a>, default: Option<&'a [Word]>) -> capnp::Result<Self> {
        Ok(Out(builder.get_struct(StructSize { data: WORDS, pointers: POINTERS }, default)?))
    }
}

impl<'a, const WORDS: u16, const POINTERS: u16> Out<'a, WORDS, POINTERS> {
    pub fn set_u16(&self, index: usize, value: u16) {
        self.0.set_data_field(index, value)
    }
    pub fn set_u32(&self, index: usize, value: u32) {
        self.0.set_data_field(index, value)
    }
    pub fn set_u64(&self, index: usize, value: u64) {
        self.0.set_data_field(index, value)
    }
    pub fn set_text(&self, pointer: usize, value: &str) {
        self.0.get_pointer_field(pointer).set_text(value)
    }
    pub fn set_data(&self, pointer: usize, value: &[u8]) {
        self.0.get_pointer_field(pointer).set_data(value)
    }
    pub fn set_cap(&self, pointer: usize, value: &Client) {
        self.0.get_pointer_field(pointer).set_capability(value.hook.clone())
    }
}

/// A call whose params are set by `fill`.
pub fn call<const WORDS: u16, const POINTERS: u16>(
    target: &Client,
    interface: u64,
    method: u16,
    fill: impl FnOnce(Out<'_, WORDS, POINTERS>),
) -> RemotePromise<any_pointer::Owned> {
    request(target, interface, method, fill).send()
}

pub fn request<const WORDS: u16, const POINTERS: u16>(
    target: &Client,
    interface: u64,
    method: u16,
    fill: impl FnOnce(Out<'_, WORDS, POINTERS>),
) -> Request<any_pointer::Owned, any_pointer::Owned> {
    let mut request: Request<any_pointer::Owned, any_pointer::Owned> = target.new_call(interface, method, None);
    fill(request.get().init_as());
    request
}

/// The capability at a pointer of the results of a call, before they are there.
pub fn pipelined(promise: &RemotePromise<any_pointer::Owned>, pointer: u16) -> Client {
    Client::new(promise.pipeline.get_pointer_field(pointer).as_cap())
}
