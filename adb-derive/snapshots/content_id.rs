const _: () = {
    use ::adb::__macro as _adb;
    #[allow(unused_imports)]
    use ::adb::__macro::NoEdge as _;
    #[allow(dead_code, non_snake_case)]
    struct PhotoColumns {
        pub photo: _adb::Column<Photo, Image>,
        pub title: _adb::Column<Photo, Option<String>>,
    }
    #[automatically_derived]
    impl _adb::DataModel for Photo {
        type Columns = PhotoColumns;
        type Bare = Self;
        const SCHEMA: &'static _adb::ModelSchema = {
            match _adb::FieldKind::fault(
                &[<Image as _adb::Field>::KIND, <Option<String> as _adb::Field>::KIND],
                _adb::ObjectKind::Image,
            ) {
                ::core::option::Option::None => {}
                ::core::option::Option::Some(_adb::KindFault::None) => {
                    ::core::panic!(
                        "`Photo` is an image, but none of its fields has the type `Image`: add one, such as `photo: Image`, or take `#[adb(image)]` away"
                    )
                }
                ::core::option::Option::Some(_adb::KindFault::Optional) => {
                    ::core::panic!(
                        "`Photo` is an image, so its picture can't be an `Option`: take `#[adb(image)]` away, and an entity with an optional picture remains"
                    )
                }
                ::core::option::Option::Some(_adb::KindFault::Several) => {
                    ::core::panic!(
                        "`Photo` is an image, but has several fields of the type `Image`: such an object is one picture. Move the others into a model of their own, or take `#[adb(image)]` away: an entity can have any number of them"
                    )
                }
                ::core::option::Option::Some(_adb::KindFault::OthersGeometry) => {
                    ::core::panic!(
                        "`Photo` is an image, and one of its fields says where an object lies in another: a `Rect` belongs to `#[adb(bounding_box)]`, a `Polygon` to `#[adb(polygon)]`, a span to `#[adb(clip)]`, and a moment to `#[adb(frame)]`"
                    )
                }
            }
            &_adb::ModelSchema {
                name: "Photo",
                class: "Photo",
                kind: _adb::ObjectKind::Image,
                convention: _adb::Convention::Adb,
                doc: "",
                fields: &[
                    _adb::FieldSchema {
                        name: "photo",
                        key: "photo",
                        property: "photo",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::of(<Image as _adb::Field>::KIND, false),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "title",
                        key: "title",
                        property: "title",
                        doc: "",
                        was: &[],
                        role: _adb::FieldRole::of(
                            <Option<String> as _adb::Field>::KIND,
                            false,
                        ),
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                    _adb::FieldSchema {
                        name: "look",
                        key: "look",
                        property: "look",
                        doc: "",
                        was: &[],
                        role: {
                            let () = <<Photos as _adb::DescriptorSet>::Embedder as _adb::Produces<
                                <Embedding<512> as _adb::EmbeddingField>::Vector,
                            >>::CHECKED;
                            let () = <<Photos as _adb::DescriptorSet>::Embedder as _adb::Accepts<
                                <Image as _adb::EmbedSource>::Modality,
                            >>::CHECKED;
                            _adb::FieldRole::Embedding {
                                set: <Photos as _adb::DescriptorSet>::SPEC,
                                from: ::core::option::Option::Some("photo"),
                                label: ::core::option::Option::Some("title"),
                                optional: <Embedding<
                                    512,
                                > as _adb::EmbeddingField>::OPTIONAL,
                                class: ::core::option::Option::None,
                                face: ::core::option::Option::None,
                            }
                        },
                        default: ::core::option::Option::None,
                        inside: ::core::option::Option::None,
                    },
                ],
                untyped: true,
                content_id: true,
            }
        };
        fn build(
            &self,
            __graph: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            let __node = match __graph
                .enter_content(
                    _adb::ObjectKind::Image,
                    "Photo",
                    _adb::media_of_kind(
                        _adb::ObjectKind::Image,
                        [
                            <Image as _adb::Field>::media(&self.photo),
                            <Option<String> as _adb::Field>::media(&self.title),
                        ],
                    ),
                )?
            {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
            __graph.untyped(__node);
            <Image as _adb::Field>::add(
                &self.photo,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Photo",
                    field: "photo",
                    property: "photo",
                },
            )?;
            <Option<
                String,
            > as _adb::Field>::add(
                &self.title,
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Photo",
                    field: "title",
                    property: "title",
                },
            )?;
            if let ::core::option::Option::Some(__descriptor) = <Embedding<
                512,
            > as _adb::EmbeddingField>::add_from(
                &self.look,
                <Image as _adb::EmbedSource>::input(&self.photo),
                __graph,
                __node,
                _adb::FieldPlace {
                    model: "Photo",
                    field: "look",
                    property: "look",
                },
                <Photos as _adb::DescriptorSet>::SPEC,
            )? {
                if let ::core::option::Option::Some(__label) = <Option<
                    String,
                > as _adb::LabelField>::label(&self.title) {
                    __graph
                        .label(__descriptor, ::std::borrow::ToOwned::to_owned(__label));
                }
            }
            ::core::result::Result::Ok(__node)
        }
        fn columns() -> Self::Columns {
            PhotoColumns {
                photo: _adb::Column::new("photo"),
                title: _adb::Column::new("title"),
            }
        }
        fn read(
            __record: &_adb::Record,
        ) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                photo: <Image as _adb::Field>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Photo",
                        field: "photo",
                        property: "photo",
                    },
                )?,
                title: <Option<
                    String,
                > as _adb::Field>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Photo",
                        field: "title",
                        property: "title",
                    },
                )?,
                look: <Embedding<
                    512,
                > as _adb::EmbeddingField>::read(
                    __record,
                    _adb::FieldPlace {
                        model: "Photo",
                        field: "look",
                        property: "look",
                    },
                )?,
            })
        }
    }
    const _: &_adb::ModelSchema = <Photo as _adb::DataModel>::SCHEMA;
};
